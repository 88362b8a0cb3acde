#!/usr/bin/env bash
# ncnn 1.0.20261020 on x86: BinaryOp divides two arrays by a reciprocal that is not exact, also with
# every float16 and bfloat16 option off, so that floor(1 / 1) can be 0.
# Seen: 41 / 41 = 0.99999994 on a processor with AVX-512; in arrays of 6 numbers 1 / 1 too.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q ncnn==1.0.20261020
cat > "$folder/divide.param" <<'PARAM'
7767517
3 3
Input    a      0 1 a
Input    b      0 1 b
BinaryOp divide 2 1 a b quotient 0=3
PARAM
: > "$folder/divide.bin"
cat > "$folder/run.py" <<'PYTHON'
import sys
from importlib.metadata import version

import ncnn
import numpy as np

print("ncnn", version("ncnn"))
net = ncnn.Net()
net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
net.opt.use_bf16_storage = False
net.load_param(f"{sys.argv[1]}/divide.param")
net.load_model(f"{sys.argv[1]}/divide.bin")
x = np.arange(1, 65, dtype=np.float32)
run = net.create_extractor()
run.input("a", ncnn.Mat(x).clone())
run.input("b", ncnn.Mat(x).clone())
found = run.extract("quotient")[1].numpy()
print("x / x is not 1 for", [f"{each:.0f}: {q:.8f}" for each, q in zip(x, found) if q != 1][:4])
assert (found != 1).any(), "the behaviour has changed, or this processor divides exactly"
assert np.abs(found - 1).max() < 1e-6
PYTHON
"$folder/env/bin/python" "$folder/run.py" "$folder"
