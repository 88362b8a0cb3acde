#!/usr/bin/env bash
# Python 3.11.7, lzma: of an .xz file whose streams have padding between them, `lzma.open` and
# `lzma.decompress` give the first stream alone, without an error. The format allows such padding (section
# 2.2 of the .xz file format: zero bytes, a multiple of four), `xz -dc` and python-xz 0.5.0 read all of it.
# Without padding Python reads both streams too; its gzip passes over zero bytes between members.
# Seen: lzma.open b'first\n', lzma.decompress b'first\n', python-xz b'first\nsecond\n'. Status 1 if that
# changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q python-xz==0.5.0
cat > "$folder/run.py" <<'PYTHON'
import lzma
import sys

import xz

path = f"{sys.argv[1]}/two.xz"
one, two = lzma.compress(b"first\n"), lzma.compress(b"second\n")
with open(path, "wb") as file:
    file.write(one + bytes(4) + two)
with lzma.open(path) as opened, xz.open(path) as whole:
    found = opened.read(), lzma.decompress(one + bytes(4) + two), whole.read()
print(sys.version.split()[0], *zip(("lzma.open", "lzma.decompress", "python-xz"), found))
assert lzma.decompress(one + two) == found[2] == b"first\nsecond\n"
assert found[:2] == (b"first\n", b"first\n"), "the behaviour has changed"
PYTHON
"$folder/env/bin/python" "$folder/run.py" "$folder"
