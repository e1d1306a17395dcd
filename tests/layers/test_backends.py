"""The same on JAX: connections, outputs, a step of training."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

PROGRAM = """
import json
import sys
import keras
import numpy as np
from keras_moduli import layers

x = np.linspace(-1.0, 1.0, 60).reshape(4, 5, 3).astype("float32")
recurrent = [
    cls(
        64, fan_in=24, group_size=8, connections="near+random", seed=1,
        kernel_initializer="ones", recurrent_dropout=0.2,
        recurrent_initializer=keras.initializers.Constant(0.01),
    )
    for cls in (layers.SparseLSTM, layers.SparseGRU, layers.SparseSimpleRNN)
]
inputs = keras.Input((5, 3))
outputs = [layer(inputs) for layer in recurrent]
model = keras.Model(inputs, keras.layers.Concatenate()(outputs))
output = model.predict(x, verbose=0)
model.compile("sgd", "mse")
model.fit(x, np.zeros((4, 192)), verbose=0)
assert np.abs(model.predict(x, verbose=0) - output).max() > 0
found = [[layer.sources.tolist() for layer in recurrent], output.tolist()]
json.dump(found, sys.stdout)
"""


def run(backend):
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return json.loads(result.stdout)


@pytest.mark.slow
def test_jax_as_here(capsys):
    pytest.importorskip("jax")
    exec(PROGRAM, {})
    theirs = json.loads(capsys.readouterr().out)
    ours = run("jax")
    assert ours[0] == theirs[0]
    np.testing.assert_allclose(ours[1], theirs[1], atol=1e-5)
