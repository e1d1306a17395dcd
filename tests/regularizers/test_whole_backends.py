"""The same values on every Keras backend."""

import json
import subprocess

import numpy as np
import pytest
from command import OTHER_BACKENDS
from command import on
from command import python

from keras_moduli import spaces

SCRIPT = """
import json
import keras, numpy as np
from keras_moduli import inhibitors, spaces
from keras_moduli.regularizers.moduli_regularizer import ModuliRegularizer

def numbers(x):
    return keras.ops.convert_to_numpy(x).astype("float64").tolist()

values = {}
for name in %(names)r:
    r = ModuliRegularizer(name, seed=3, power=2, scale=1.5)
    kernel = np.random.default_rng(0).standard_normal((12, 48))
    values[name] = {
        "points": r.embedding(12).tolist(),
        "ordered": ModuliRegularizer(
            name, seed=3, points="ordered").embedding(12).tolist(),
        "distance": numbers(r.space.distance(r.embedding(12))),
        "penalty": numbers(r.penalty(12)),
        "value": float(r(keras.ops.convert_to_tensor(kernel, "float32"))),
        "projected": numbers(r.space.project(3 * r.embedding(12) - 1)),
    }
distance = np.linspace(0, 20, 50, dtype="float32")
values["inhibitors"] = {
    name: numbers(inhibitors.get(name)(keras.ops.convert_to_tensor(distance)))
    for name in inhibitors.NAMES
}
x = np.random.default_rng(0).standard_normal((8, 4, 3)).astype("float32")
model = keras.Sequential([
    keras.Input((4, 3)),
    keras.layers.LSTM(6, recurrent_regularizer=ModuliRegularizer(seed=1)),
    keras.layers.RepeatVector(2),
    keras.layers.SimpleRNN(5, recurrent_regularizer=ModuliRegularizer(
        "klein_bottle", seed=1, trainable=True, factor=1.0)),
])
for i, v in enumerate(model.weights):
    v.assign(np.random.default_rng(i).standard_normal(v.shape) / 4)
model.compile(keras.optimizers.SGD(0.1), keras.losses.MeanSquaredError())
history = model.fit(x, x[:, 0, :1] * np.ones(5, "float32"), batch_size=4,
                    epochs=2, shuffle=False, verbose=0)
values["loss"] = history.history["loss"]
values["trained"] = model.layers[-1].cell.recurrent_regularizer.embedding(
    5).tolist()
print(json.dumps(values))
"""
NAMES = [name for name in spaces.NAMES if "<" not in name] + [
    "sphere3",
    "torus6",
    "euclidean3",
    "box2",
]


def values(backend):
    done = subprocess.run(
        python(SCRIPT % {"names": NAMES}),
        env={
            **on(backend),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def tensorflow():
    return values("tensorflow")


@pytest.mark.slow
@pytest.mark.parametrize("backend", OTHER_BACKENDS)
def test_other_backends_agree(backend, tensorflow):
    other = values(backend)
    for name in NAMES:
        for what, expected in tensorflow[name].items():
            exact = what in ("points", "ordered")
            np.testing.assert_allclose(
                other[name][what],
                expected,
                rtol=0 if exact else 2e-5,
                atol=0 if exact else 2e-4,
                err_msg=f"{what} of {name}",
            )
    for name, expected in tensorflow["inhibitors"].items():
        np.testing.assert_allclose(
            other["inhibitors"][name], expected, rtol=1e-5, atol=1e-4
        )
    np.testing.assert_allclose(other["loss"], tensorflow["loss"], rtol=1e-4)
    np.testing.assert_allclose(
        other["trained"], tensorflow["trained"], rtol=1e-4
    )
