"""The same weights give the same masks on every Keras backend."""

import subprocess

import numpy as np
import pytest
from command import OTHER_BACKENDS
from command import on
from command import python

SCRIPT = """
import sys

import keras
import numpy as np

import keras_moduli
from keras_moduli import patterns
from keras_moduli.models.kernels import kernels

BATCHES = 10
x = np.random.default_rng(0).normal(size=(BATCHES * 4, 5, 3)).astype("float32")
y = x.sum((1, 2))[:, None]
SCHEDULE = {
    "class_name": "PolynomialDecay",
    "config": dict(
        initial_sparsity=0.0, final_sparsity=0.75, power=3,
        begin_step=2, end_step=8, frequency=3,
    ),
}
SETTINGS = {
    "still": lambda: dict(optimizer=keras.optimizers.SGD(0.0)),
    "adam": lambda: dict(optimizer=keras.optimizers.Adam(0.05)),
    "several": lambda: dict(optimizer="adam", steps_per_execution=5),
    "jit": lambda: dict(optimizer="adam", jit_compile=True),
    "averaging": lambda: dict(
        optimizer=keras.optimizers.Adam(0.05, use_ema=True, ema_momentum=0.9)
    ),
}
PATTERNS = {
    "weights": {},
    "blocks": dict(block_size=(4, 1)),
    "tiles": dict(pattern=patterns.Tiles(4)),
    "2of8": dict(pattern=patterns.NOfM(2, 8)),
    "erk": dict(weights="kernels", ranking="erk"),
    "units": dict(pattern=patterns.HiddenUnits()),
}


def train(compile, **arguments):
    model = keras.Sequential(
        [keras.Input((5, 3)), keras.layers.GRU(8), keras.layers.Dense(1)]
    )
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape) / 3)
    model.compile(loss="mse", **compile())
    kernel = model.layers[0].cell.recurrent_kernel
    counts = []
    probe = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: (
            probe.model,
            counts.append(
                int((keras.ops.convert_to_numpy(kernel) == 0).sum())
            ),
        )
    )
    pruning = keras_moduli.MagnitudePruning(SCHEDULE, **arguments)
    model.fit(
        x, y, batch_size=4, shuffle=False, verbose=0,
        callbacks=[pruning, probe],
    )
    return {
        path: keras.ops.convert_to_numpy(variable)
        for path, variable in kernels(model).items()
    }, counts


results = {}
for name, arguments in PATTERNS.items():
    weights, counts = train(SETTINGS["still"], **arguments)
    for path, value in weights.items():
        results[f"still/{name}/{path}"] = value != 0
for name, compile in SETTINGS.items():
    if name in ("jit", "several") and keras.backend.backend() == "torch":
        continue  # one needs a C++ compiler, the other Keras does not offer
    weights, counts = train(compile)
    results[f"counts/{name}"] = np.array(counts)

# Built by its first batch.
model = keras.Sequential([keras.layers.GRU(8), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(
    x, y, batch_size=4, verbose=0,
    callbacks=[keras_moduli.MagnitudePruning(SCHEDULE)],
)
recurrent = keras.ops.convert_to_numpy(model.layers[0].cell.recurrent_kernel)
results["counts/built by fit"] = np.array([(recurrent == 0).sum()])

# One mask and then another, in a step that was compiled with the first.
model = keras.Sequential([keras.Input((5, 3)), keras.layers.GRU(8)])
model.compile(keras.optimizers.Adam(0.1), "mse")
(path,) = (path for path in kernels(model) if "recurrent" in path)
kernel = kernels(model)[path]
first = np.arange(8 * 24).reshape(8, 24) % 2 == 0
for name, mask in (("first", first), ("second", ~first)):
    keras_moduli.apply_masks(model, {path: mask})
    model.fit(x, y, batch_size=4, verbose=0)
    alive = keras.ops.convert_to_numpy(kernel) != 0
    results[f"alive/{name} mask"] = alive
keras_moduli.remove_masks(model)
model.fit(x, y, batch_size=4, verbose=0)
results["alive/no mask"] = keras.ops.convert_to_numpy(kernel) != 0
np.savez(sys.argv[1], **results)
"""


def run(backend, folder):
    path = folder / f"{backend}.npz"
    subprocess.run(
        python(SCRIPT, path),
        check=True,
        env=on(backend),
    )
    return dict(np.load(path))


@pytest.fixture(scope="module")
def tensorflow(tmp_path_factory):
    return run("tensorflow", tmp_path_factory.mktemp("masks"))


@pytest.mark.slow
@pytest.mark.parametrize("backend", OTHER_BACKENDS)
def test_same_masks(backend, tensorflow, tmp_path):
    found = run(backend, tmp_path)
    assert len([name for name in found if name.startswith("still/")]) == 18
    for name, value in found.items():
        np.testing.assert_array_equal(value, tensorflow[name], err_msg=name)
    # 192 weights; the schedule acts after steps 2, 5 and 8.
    assert found["counts/adam"][-1] == 144
    assert found["counts/averaging"][-1] == 144
    assert found["counts/built by fit"] == [144]
    # The first mask's weights died with the second, whose had died before and
    # came to life by their gradients.
    first = np.arange(8 * 24).reshape(8, 24) % 2 == 0
    np.testing.assert_array_equal(found["alive/first mask"], first)
    np.testing.assert_array_equal(found["alive/second mask"], ~first)
    assert found["alive/no mask"].all()
    if "counts/several" in found:
        assert list(found["counts/several"]) == [
            found["counts/adam"][4],
            144,
        ]
