"""One small file of every kind that people ship, and what Keras answers."""

import itertools

import keras
import numpy as np

import keras_moduli

CELLS = {
    "SimpleRNN": keras.layers.SimpleRNN,
    "GRU": keras.layers.GRU,
    "LSTM": keras.layers.LSTM,
}
LAYOUTS = ("dense", "sparse", "tiled", "gathered")
QUANTIZATIONS = (None, "int8", "full_int8")
FORMS = {"whole": False, "streaming": True}
STEPS, INPUTS, UNITS, TILE = 8, 16, 64, 16

# Of the largest output: rounding for floats, the integers' steps for the rest.
# A kernel that computes something else is off by more than a tenth.
BOUNDS = {"None": 1e-5, "int8": 0.03, "full_int8": 0.1}

CASES = [
    "-".join(map(str, case))
    for case in itertools.product(CELLS, LAYOUTS, QUANTIZATIONS, FORMS)
]


class Shipped:
    """The files of all cases in a folder, beside the input `x.npy`.

    Args:
        folder: Where they are.
    """

    def __init__(self, folder):
        self.folder = folder
        self.x = np.random.default_rng(1).normal(size=(1, STEPS, INPUTS))
        self.x = self.x.astype("float32")
        self._expected = {}

    def write(self):
        np.save(self.folder / "x.npy", self.x)
        rng = np.random.default_rng(2)
        typical = rng.normal(size=(16, STEPS, INPUTS)).astype("float32")
        for cell in CELLS:
            model = _model(CELLS[cell])
            self._expected[cell] = model.predict(self.x, verbose=0)
            for layout, quantization, form in itertools.product(
                LAYOUTS, QUANTIZATIONS, FORMS
            ):
                keras_moduli.export_tflite(
                    model,
                    self.path(f"{cell}-{layout}-{quantization}-{form}"),
                    quantization,
                    layout,
                    streaming=FORMS[form],
                    inputs=typical,
                )

    def path(self, case):
        return self.folder / f"{case}.tflite"

    def check(self, case, answer):
        """Fails if an answer to `x` is not what Keras gives."""
        cell, _, quantization, _ = case.split("-")
        expected = self._expected[cell]
        assert answer.shape == expected.shape
        off = np.abs(answer - expected).max() / np.abs(expected).max()
        assert off < BOUNDS[quantization]


def _model(cell):
    """One whose recurrent kernel every layout can make use of."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((STEPS, INPUTS), name="x"),
            cell(UNITS, return_sequences=True),
            keras.layers.Dense(4),
        ]
    )
    kernel = model.layers[0].cell.recurrent_kernel
    # Each tile of targets reads one tile of sources, in every gate.
    order = np.random.default_rng(0).permutation(UNITS // TILE)
    alive = np.kron(np.eye(UNITS // TILE)[order], np.ones((TILE, TILE)))
    gates = kernel.shape[1] // UNITS
    kernel.assign(2 * kernel * np.tile(alive, gates))
    return model
