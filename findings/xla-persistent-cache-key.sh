#!/usr/bin/env bash
# TensorFlow 2.21.0, on a CPU: XLA's persistent cache (TF_XLA_FLAGS=--tf_xla_persistent_cache_directory)
# names what it has compiled after a checksum of the program, in which the name of the traced function
# stands, and with it a number that counts, among other things, every eager tensor made before. So the
# same program finds nothing in the cache if it made one tensor more or less on its way there.
# Seen: files in the cache after runs with 5, 5 and 6 tensors before the function: 1, 1, 2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q tensorflow==2.21.0
cat > "$folder/run.py" <<'PYTHON'
import sys

import tensorflow as tf

for _ in range(int(sys.argv[1])):
    tf.constant(1.0)


@tf.function(jit_compile=True)
def double(x):
    return x + x


print(double(tf.ones(3)).numpy())
PYTHON
mkdir "$folder/cache"
export TF_XLA_FLAGS="--tf_xla_persistent_cache_directory=$folder/cache" TF_CPP_MIN_LOG_LEVEL=3
counts=()
for tensors in 5 5 6; do
    "$folder/env/bin/python" "$folder/run.py" "$tensors"
    counts+=("$(find "$folder/cache" -type f | wc -l)")
done
echo "files in the cache: ${counts[*]}"
[[ "${counts[*]}" == "1 1 2" ]] || { echo "the behaviour has changed" >&2; exit 1; }
