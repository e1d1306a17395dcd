"""Models and masks that were saved when the package was laid out otherwise.

Keras finds a class by its registered name, not by its module.
"""

from pathlib import Path

import keras
import numpy as np
import pytest

import keras_moduli

FILES = Path(__file__).parent / "before_the_rooms"


@pytest.fixture(scope="module")
def model():
    return keras.saving.load_model(FILES / "model.keras")


def test_a_model_computes_what_it_did(model):
    with np.load(FILES / "answers.npz") as answers:
        found = model.predict(answers["x"], verbose=0)
        np.testing.assert_allclose(found, answers["y"], atol=1e-5)
        np.testing.assert_allclose(
            [float(loss) for loss in model.losses],
            answers["losses"],
            rtol=1e-4,
        )


def test_its_regularizers_are_what_they_were(model):
    found = [layer.recurrent_regularizer for layer in model.layers[1:-1]]
    assert [r.space.name for r in found] == [
        "torus", "klein_bottle", "sphere*torus", "hexagonal_torus", "sphere3",
        "torus",
    ]  # fmt: skip
    assert isinstance(
        found[-1], keras_moduli.regularizers.TrainableModuliRegularizer
    )


def test_masks_fit_the_model(model):
    masks = keras_moduli.load_masks(FILES / "masks.npz")
    assert len(masks) == 6
    found = keras_moduli.masks_of(model)
    for path, mask in masks.items():
        np.testing.assert_array_equal(found[path], mask)
