#!/usr/bin/env bash
# While `from mpi4py import MPI` waits in MPI_Init for a slower rank, no other Python thread runs.
#
# mpi4py 4.1.2 with MPICH 5.0.2 (both wheels of PyPI), Python 3.11. One expects what mpi4py does in other
# calls that wait: they release the interpreter's lock. The import calls MPI_Init with the lock held. So
# neither a watchdog thread nor a signal handler written in Python can end a process whose other ranks come
# late or never; a signal with its default action can.
#
# Seen here: "waited 3 s, and a thread that counts every 0.05 s has counted 0". Status 1 if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q mpi4py==4.1.2 mpich==5.0.2

cat > "$folder/late.py" <<'PYTHON'
import os
import sys
import threading
import time

counted = 0


def count():
    global counted
    while True:
        time.sleep(0.05)
        counted += 1


threading.Thread(target=count, daemon=True).start()
if os.environ["PMI_RANK"] == "1":
    time.sleep(3)
begin, before = time.monotonic(), counted
from mpi4py import MPI

waited, during = time.monotonic() - begin, counted - before
if MPI.COMM_WORLD.rank == 0:
    print(f"waited {waited:.0f} s, and a thread that counts every 0.05 s has counted {during}")
    sys.exit(not (waited > 2 and during <= 3))
PYTHON

"$folder/env/bin/mpiexec" -n 2 "$folder/env/bin/python" "$folder/late.py"
