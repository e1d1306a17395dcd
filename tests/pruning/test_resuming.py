"""Training cut off and taken up again ends like training unbroken."""

import itertools
import os
import random
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow_model_optimization as tfmot
from command import python

import keras_moduli
from keras_moduli.models.kernels import kernels

BATCHES = 12
KERNEL = "lstm/lstm_cell/recurrent_kernel"
X = np.random.default_rng(0).normal(size=(BATCHES * 4, 5, 3)).astype("float32")
Y = X.sum((1, 2))[:, None]


def build(optimizer=None):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((5, 3)),
            keras.layers.LSTM(8, name="lstm"),
            keras.layers.Dense(1, name="dense"),
        ]
    )
    model.compile(optimizer or keras.optimizers.Adam(0.01), "mse")
    return model


def pruning(**arguments):
    """Prunes at steps 3, 8, 13, ..., 28 and 30, in three epochs of 12."""
    schedule = tfmot.sparsity.keras.PolynomialDecay(
        0.2, 0.8, begin_step=3, end_step=30, frequency=5
    )
    return keras_moduli.MagnitudePruning(schedule, **arguments)


def fit(model, *callbacks, x=X, y=Y, **arguments):
    return model.fit(
        x, y, batch_size=4, shuffle=False, verbose=0, callbacks=callbacks,
        **arguments,
    )  # fmt: skip


def read(model):
    return keras.ops.convert_to_numpy(kernels(model)[KERNEL])


@pytest.fixture(scope="module")
def unbroken():
    model = build()
    fit(model, pruning(), epochs=3)
    assert (read(model) == 0).sum() == 205
    return read(model)


def load_weights(path):
    model = build(keras.optimizers.Adam(0.1))
    model.optimizer.build(model.trainable_variables)
    model.load_weights(path)
    return model


def load_h5(path):
    """Keras 3 cannot train on with the optimizer that an .h5 file holds."""
    model = keras.models.load_model(path, compile=False)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model


LOAD = {
    "model.keras": keras.models.load_model,
    "model.h5": load_h5,
    "model.weights.h5": load_weights,
}

# Two of them in the quick suite.
QUICK = {("model.keras", "before", 8), ("model.h5", "after", 17)}
CASES = [
    pytest.param(*case, marks=[] if case in QUICK else pytest.mark.slow)
    for case in itertools.product(LOAD, ["before", "after"], [2, 8, 17])
]


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
@pytest.mark.parametrize("name,when,step", CASES)
def test_from_a_checkpoint_at_any_batch(name, when, step, tmp_path):
    """Step 8 prunes: the checkpoint may be written before or after that."""
    path = str(tmp_path / name)
    # SGD has no state, so that it goes on even where that is not saved.
    optimizer = (
        keras.optimizers.SGD if name == "model.h5" else keras.optimizers.Adam
    )
    unbroken = build(optimizer(0.1))
    fit(unbroken, pruning(), epochs=3)

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.optimizer.iterations) == step:
                self.model.stop_training = True

    save = keras.callbacks.ModelCheckpoint(
        path, save_weights_only="weights" in name, save_freq=step
    )
    first = pruning(allow_partial=True)
    order = [save, first] if when == "before" else [first, save]
    fit(build(optimizer(0.1)), *order, Stop(), epochs=3)

    # What is left of the epoch, then the epochs left. The step has to be told
    # where nothing else tells it: before the first pruning, or from an .h5.
    model = LOAD[name](path)
    told = name == "model.h5" or step < 3
    again = pruning(allow_partial=True, initial_step=step if told else None)
    rest = step % BATCHES * 4
    fit(model, again, x=X[rest:], y=Y[rest:])
    fit(model, again, epochs=2 - step // BATCHES)
    np.testing.assert_array_equal(read(model), read(unbroken))


def test_with_weights_but_no_optimizer(tmp_path):
    """The epoch tells where the schedule stands."""
    model = build()
    fit(model, pruning(allow_partial=True), epochs=2)
    model.save_weights(tmp_path / "w.weights.h5")
    resumed = build()
    with pytest.warns(UserWarning, match="[Oo]ptimizer"):
        resumed.load_weights(tmp_path / "w.weights.h5")
    seen = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(logs["sparsity"])
    )
    fit(resumed, pruning(), watch, initial_epoch=2, epochs=3)
    assert seen[0] == keras_moduli.sparsity(model)[KERNEL]
    assert seen[-1] == 205 / 256


@pytest.mark.slow
def test_a_dense_trained_model_starts_the_schedule():
    model = build()
    fit(model, epochs=2)
    callback = pruning()
    history = fit(model, callback, epochs=3).history["sparsity"]
    assert history == pytest.approx(
        fit(build(), pruning(), epochs=3).history["sparsity"]
    )


def test_zeros_that_fit_no_step(tmp_path):
    model = build()
    fit(model, pruning(), epochs=3)  # 80 % sparse after 36 steps
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    later = tfmot.sparsity.keras.PolynomialDecay(0.0, 0.9, 0, 72)
    with pytest.raises(ValueError, match="after 36 .* asks for .* 80.1% zeros"):
        fit(loaded, keras_moduli.MagnitudePruning(later), epochs=6)
    # It says how to go on.
    fit(
        loaded,
        keras_moduli.MagnitudePruning(later, initial_step=0),
        epochs=6,
    )
    assert keras_moduli.sparsity(loaded)[KERNEL] == 230 / 256


SCRIPT = """
import os
import signal
import sys
sys.path[:0] = {paths!r}
import keras
import numpy as np
import test_resuming as t

backup, order, result, life = sys.argv[1:]
model = t.build()
taken = []


def count(batch, logs):
    taken.append(batch)
    if len(taken) == int(life):
        os.kill(os.getpid(), signal.SIGKILL)


backup = keras.callbacks.BackupAndRestore(backup, double_checkpoint=True)
callbacks = [backup, t.pruning()] if order == "0" else [t.pruning(), backup]
killer = keras.callbacks.LambdaCallback(on_train_batch_end=count)
t.fit(model, *callbacks, killer, epochs=3)
np.save(result, t.read(model))
"""


@pytest.mark.slow
@pytest.mark.parametrize("order", ["0", "1"])
def test_killed_at_a_random_batch(order, tmp_path, unbroken):
    """The process kills itself, while it trains rather than while Keras writes.

    Keras's backup is not one file that appears whole: killed between its
    weights and its epoch number, it would repeat an epoch.
    """
    command = python(
        SCRIPT.format(paths=[os.path.dirname(__file__), *sys.path]),
        tmp_path / "backup",
        order,
        tmp_path / "result.npy",
    )
    rng = random.Random(int(order))
    for _ in range(2 - int(order)):  # the one is killed once more
        life = str(rng.randrange(3, 16))
        killed = subprocess.run([*command, life], stdout=subprocess.DEVNULL)
        assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "result.npy").exists()
    subprocess.run([*command, "0"], check=True, stdout=subprocess.DEVNULL)
    np.testing.assert_array_equal(np.load(tmp_path / "result.npy"), unbroken)
