#!/usr/bin/env bash
# Keras 3.15.1 on JAX 0.10.2: `predict_on_batch` forgets the state of a stateful layer after each
# call, without an error; calling the model keeps it. On Keras's NumPy backend both keep it.
# Seen: "predict keeps the state: False, call keeps the state: True" on JAX, True twice on NumPy.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q keras==3.15.1 jax==0.10.2
cat > "$folder/run.py" <<'PYTHON'
import keras
import numpy as np

print("keras", keras.__version__, "on", keras.backend.backend())
keras.utils.set_random_seed(1)
one = keras.Input(batch_shape=(1, 1, 3))
model = keras.Model(one, keras.layers.LSTM(4, stateful=True)(one))
x, differs = np.ones((1, 1, 3), "float32"), {}
for name, call in {"predict": model.predict_on_batch, "call": model}.items():
    model.layers[1].reset_state()
    first, second = (keras.ops.convert_to_numpy(call(x)) for _ in range(2))
    differs[name] = bool(np.abs(second - first).max() > 1e-3)
print(", ".join(f"{name} keeps the state: {kept}" for name, kept in differs.items()))
expected = {"predict": keras.backend.backend() != "jax", "call": True}
assert differs == expected, "the behaviour has changed"
PYTHON
for backend in jax numpy; do
    KERAS_BACKEND=$backend KERAS_HOME="$folder" "$folder/env/bin/python" "$folder/run.py"
done
