#!/usr/bin/env bash
# Keras 3.15.1 does not read whole models of Keras 2.15.0 that have an LSTM, GRU or SimpleRNN, neither
# `.h5` nor `.keras`.
#
# Expected: `keras.saving.load_model` of Keras 3 reads the HDF5 of Keras 2, for which it has a reader of
# its own, as it does for dense networks. Seen: "Unrecognized keyword arguments passed to LSTM:
# {'time_major': False}". Keras 2 writes `time_major` into every recurrent layer's configuration, and
# Keras 3 has no such argument.
#
# Needs Python 3.11 (TensorFlow 2.15 has no wheels for later ones). Status 0 while Keras does so, 1 if
# that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export TF_CPP_MIN_LOG_LEVEL=3 PIP_DISABLE_PIP_VERSION_CHECK=1
python3.11 -m venv two
two/bin/pip install -q tensorflow-cpu==2.15.1 keras==2.15.0 2>/dev/null
python3.11 -m venv three
three/bin/pip install -q keras==3.15.1 tensorflow-cpu==2.21.0 2>/dev/null

cat > write.py <<'PY'
from tensorflow import keras

layers = keras.layers
for kind in (layers.LSTM, layers.GRU, layers.SimpleRNN, layers.Dense):
    model = keras.Sequential([keras.Input((None, 4)), kind(3), layers.Dense(4)])
    for suffix in ("h5", "keras"):
        model.save(f"{kind.__name__}.{suffix}")
PY
two/bin/python -W ignore write.py 2>/dev/null

cat > read.py <<'PY'
import keras

refused = []
for suffix in ("h5", "keras"):
    for kind in ("LSTM", "GRU", "SimpleRNN", "Dense"):
        try:
            keras.saving.load_model(f"{kind}.{suffix}", compile=False)
            print(f"{kind}.{suffix}: read")
        except (TypeError, ValueError) as error:
            refused.append((kind, suffix))
            told = str(error).partition("time_major")
            print(f"{kind}.{suffix}: {type(error).__name__}, says time_major: {bool(told[1])}")
recurrent = {(kind, "h5") for kind in ("LSTM", "GRU", "SimpleRNN")}
raise SystemExit(0 if recurrent <= set(refused) and ("Dense", "h5") not in refused else 1)
PY
if three/bin/python -W ignore read.py 2>/dev/null; then
    echo "Keras 3.15.1 still does not read recurrent networks of Keras 2.15.0"
else
    echo "Keras 3.15.1 no longer does what was seen" >&2
    exit 1
fi
