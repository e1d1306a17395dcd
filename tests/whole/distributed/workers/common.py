"""What all worker processes do alike."""

import faulthandler
import hashlib
import json
import sys
from pathlib import Path

import numpy as np

SCHEDULE = {
    "class_name": "PolynomialDecay",
    "config": {
        "initial_sparsity": 0.0,
        "final_sparsity": 0.8,
        "begin_step": 2,
        "end_step": 20,
        "frequency": 7,
        "power": 3,
    },
}


def settings():
    # Should the test be killed, nobody else would end this process.
    faulthandler.dump_traceback_later(300, exit=True)
    return json.loads(Path(sys.argv[1]).read_text())


def write(result):
    Path(sys.argv[2]).write_text(json.dumps(result))


def data(seed, samples=96):
    x = np.random.default_rng(seed).normal(size=(samples, 5, 3))
    return x.astype("float32"), x.sum((1, 2))[:, None].astype("float32")


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def build_and_fit(replicas, optimizer, scope, seed=0, batch_size=4, **model):
    """Trains a small pruned LSTM, and looks at it after every batch.

    Args:
        replicas: Function from a Keras variable to the list of its values on
            the replicas of this process.
        optimizer: Dict of arguments for Adam.
        scope: Context in which the model is made.
        seed: Seed of this process's data.
        batch_size: Of this process.
        **model: Arguments for the LSTM.

    Returns:
        A dict of lists with an entry per batch, and the last log.
    """
    import keras

    import keras_moduli

    class Look(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.zeros, self.masks = [], []
            self.weights, self.averages = [], []

        def on_train_batch_end(self, batch, logs=None):
            kernel = self.model.layers[0].cell.recurrent_kernel
            values = replicas(kernel)
            masks = replicas(kernel.constraint.mask)
            self.zeros.append([int((v == 0).sum()) for v in values])
            self.weights.append([digest(v) for v in values])
            self.masks.append([digest(m) for m in masks])
            self.averages.append(
                [
                    [digest(a), float(np.abs(a[~m]).sum())]
                    for average in kernel.constraint.averages
                    for a, m in zip(replicas(average), masks, strict=True)
                ]
            )

    keras.utils.set_random_seed(0)
    with scope:
        net = keras.Sequential(
            [
                keras.Input((5, 3)),
                keras.layers.LSTM(
                    8,
                    recurrent_regularizer=keras_moduli.ModuliRegularizer(
                        "torus", seed=0
                    ),
                    **model,
                ),
                keras.layers.Dense(1),
            ]
        )
        net.compile(keras.optimizers.Adam(0.01, **optimizer), "mse")
    look = Look()
    x, y = data(seed, 24 * batch_size)
    history = net.fit(
        x,
        y,
        batch_size=batch_size,
        verbose=0,
        callbacks=[keras_moduli.MagnitudePruning(SCHEDULE), look],
    )
    kernel = net.layers[0].cell.recurrent_kernel
    return {
        "zeros": look.zeros,
        "masks": look.masks,
        "weights": look.weights,
        "averages": look.averages,
        "last": [digest(v) for v in replicas(kernel)],
        "last_zeros": [int((v == 0).sum()) for v in replicas(kernel)],
        "logged": float(history.history["sparsity"][-1]),
    }
