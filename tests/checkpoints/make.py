"""Make the run of this version's format that is kept here: python make.py FOLDER.

Each folder here holds a run that was stopped at step 6 of 12, as a version wrote it, and in
`texts.json` what its checkpoints write. They are never made anew once a version is released:
whatever charrnn becomes, it has to read them.
"""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import charrnn

TEXT = b"abcab cabba\n" * 25
SETTINGS = {
    "units": 4,
    "embedding": 3,
    "layers": 2,
    "batch_size": 2,
    "seq_length": 8,
    "learning_rate": 0.05,
    "dropout": 0.2,
    "seed": 3,
    "steps": 12,
    "eval_every": 4,
    "checkpoint_every": 3,
    "sample_every": 0,
}


def texts(folder: Path) -> dict[str, str]:
    """What the checkpoints of a run write."""
    return {
        which: charrnn.load(folder, which=which).generate("abc", seed=5, length=40)
        for which in ("best", "last")
    }


def main(folder: Path) -> None:
    """Train half of the plan, and note what it has learnt to write."""
    sys.stdin = SimpleNamespace(buffer=io.BytesIO(TEXT))  # type: ignore[assignment]
    stream = charrnn.train("-", name=folder.name, checkpoints=folder.parent, **SETTINGS)
    for event in stream:
        if type(event).__name__ == "Saved" and event.step == 6:  # type: ignore[attr-defined]
            break
    stream.close()
    (folder / ".lock").unlink()
    written = texts(folder)
    kept = {path: path.read_bytes() for path in folder.iterdir()}
    list(charrnn.train(name=folder.name, checkpoints=folder.parent, resume=True))
    written["resumed"] = texts(folder)["last"]
    for path, data in kept.items():
        path.write_bytes(data)
    (folder / ".lock").unlink()
    (folder / "texts.json").write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
