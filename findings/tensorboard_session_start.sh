#!/usr/bin/env bash
# TensorBoard 2.21.0: a SessionLog.START event is documented to discard what was logged from its step
# on. Its Python reader (EventAccumulator, also behind --load_fast=false) keeps all of it; the data
# server, which is the default, discards it without any such event, when the step goes back.
# Seen: steps 1, 2, 3, then START at 2 and step 2 again: the reader has [1, 2, 3, 2], the server [1, 2].
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q tensorboard==2.21.0 tensorboard-data-server==0.7.2 'setuptools<81'
cat > "$folder/run.py" <<'PYTHON'
import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

folder = Path(sys.argv[1])
for name in ("plain", "start"):
    (folder / name).mkdir(parents=True)
    with (folder / name / "events.out.tfevents.1").open("wb") as file:
        writer = RecordWriter(file)

        def write(step, **what):
            writer.write(Event(wall_time=1.0, step=step, **what).SerializeToString())

        def write_value(step):
            value = Summary.Value(tag="loss", simple_value=float(step))
            write(step, summary=Summary(value=[value]))

        write(0, file_version="brain.Event:2")
        for step in (1, 2, 3):
            write_value(step)
        if name == "start":
            write(2, session_log=SessionLog(status=SessionLog.START))
        write_value(2)
    read = EventAccumulator(str(folder / name))
    read.Reload()
    steps = [each.step for each in read.Tensors("loss")]
    print(name, "reader", steps)
    assert steps == [1, 2, 3, 2], "the behaviour has changed"

port = "6397"
command = [str(Path(sys.executable).with_name("tensorboard")), "--logdir", str(folder), "--port", port]
server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    for name in ("plain", "start"):
        url = f"http://localhost:{port}/data/plugin/scalars/scalars?run={name}&tag=loss"
        for attempt in range(60):
            time.sleep(1)
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    steps = [step for _, step, _ in json.load(answer)]
                break
            except OSError:
                continue
        print(name, "server", steps)
        assert steps == [1, 2], "the behaviour has changed"
finally:
    server.terminate()
PYTHON
"$folder/env/bin/python" "$folder/run.py" "$folder/logs"
