"""The NumPy network equals the Keras network, for every cell and every option of the stack."""

import numpy as np
import pytest
from test_network import CASES, SIZES, batch_of, network

from charrnn.config import Config
from charrnn.network import instant
from charrnn.network.instant import InstantNetwork
from charrnn.tf.network import get_weights, zero_state
from charrnn.tf.start import tf

pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture(params=CASES, ids=lambda case: " ".join(f"{k}={v}" for k, v in case.items()))
def config(request):
    return Config.of(**SIZES | request.param)


@pytest.mark.parametrize("table", [True, False])
def test_logits_and_states_are_those_of_keras(config, table, monkeypatch):
    if not table:
        monkeypatch.setattr(instant, "TABLE_ENTRIES", 0)
    rng = np.random.default_rng(0)
    model = network(config)
    for weight in model.weights:  # far from where they start, where much is zero
        weight.assign(rng.normal(0, 0.5, weight.shape))
    ids = batch_of(config).inputs.T
    count = ids.shape[1]
    theirs, state = model(
        (tf.constant(ids), zero_state(config.model, count), tf.zeros(2, tf.int32))
    )
    engine = InstantNetwork(config.model, get_weights(model))
    engine.start(count)
    ours = np.stack([engine.read(row[None]) for row in ids])
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    for ours, tensor in zip(engine.state, state, strict=True):
        np.testing.assert_allclose(ours, tensor, atol=1e-5)
