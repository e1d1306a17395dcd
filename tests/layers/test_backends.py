"""The same on JAX and PyTorch: connections, outputs, a step of training."""

import contextlib
import io
import json
import subprocess

import numpy as np
import pytest
from command import OTHER_BACKENDS
from command import on
from command import python

PROGRAM = """
import json
import sys
import keras
import numpy as np
import keras_moduli
from keras_moduli import layers

x = np.linspace(-1.0, 1.0, 60).reshape(4, 5, 3).astype("float32")
recurrent = [
    cls(
        64, fan_in=24, group_size=8, connections="near+random", seed=1,
        kernel_initializer="ones", dropout=0.1, recurrent_dropout=0.2,
        kernel_fan_in=2, recurrent_constraint="max_norm",
        recurrent_regularizer=keras_moduli.ModuliRegularizer(seed=0),
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
plain = layers.to_plain(model)
again = layers.to_sparse(plain)
for other in (plain, again):
    difference = other.predict(x, verbose=0) - model.predict(x, verbose=0)
    assert np.abs(difference).max() < 1e-5
sources = [
    table.tolist()
    for layer in recurrent
    for table in (layer.sources, layer.kernel_sources)
]
found = [sources, output.tolist()]
json.dump(found, sys.stdout)
"""


def run(backend):
    result = subprocess.run(
        python(PROGRAM),
        env=on(backend),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def here():
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(PROGRAM, {})
    return json.loads(printed.getvalue())


@pytest.mark.slow
@pytest.mark.parametrize("backend", OTHER_BACKENDS)
def test_other_backends_as_here(backend, here):
    there = run(backend)
    assert there[0] == here[0]
    np.testing.assert_allclose(there[1], here[1], atol=1e-5)
