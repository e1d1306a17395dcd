"""Gradients of distances and penalties, on TensorFlow."""

import keras
import numpy as np
import pytest

from keras_moduli import inhibitors
from keras_moduli import spaces

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="a gradient tape is TensorFlow's",
)

NAMES = [
    "circle",
    "sphere",
    "sphere3",
    "torus",
    "torus6",
    "klein_bottle",
    "projective_plane",
    "moebius_strip",
    "hexagonal_torus",
    "euclidean3",
    "mixed_curvature",
]


def points(space, seed, n=6):
    x = space.random_uniform(n, seed).astype("float64")
    return np.array(space.project(x))


def weighted_sum(space, inhibitor, weights, y):
    def value(x):
        return tf.reduce_sum(weights * inhibitor(space.distance(x, y)))

    return value


def gradient(value, x):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        result = value(x)
    return tape.gradient(result, x).numpy()


@pytest.mark.parametrize("inhibitor", ["identity", "difference_of_gaussians"])
@pytest.mark.parametrize("name", NAMES)
def test_finite_differences(name, inhibitor):
    space = spaces.get(name)
    x, y = points(space, 0), points(space, 1)
    weights = np.random.default_rng(2).standard_normal((6, 6))
    value = weighted_sum(space, inhibitors.get(inhibitor), weights, y)
    step = 1e-6
    expected = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        there, back = x.copy(), x.copy()
        there[index] += step
        back[index] -= step
        expected[index] = (value(there) - value(back)) / (2 * step)
    np.testing.assert_allclose(
        gradient(value, x), expected, rtol=1e-5, atol=1e-5
    )


# A point, and those furthest from it or on the border of two images.
ANTIPODES = {
    "circle": [[-1.0, 0.0]],
    "sphere": [[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
    "torus": [[5.0, 5.0], [5.0, 0.0]],
    "klein_bottle": [[5.0, 5.0], [5.0, 0.0], [0.0, 5.0]],
    "projective_plane": [[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
    "moebius_strip": [[0.0, 10.0], [5.0, 5.0]],
    "hexagonal_torus": [[5.0, np.sqrt(75) / 3], [5.0, 0.0]],
    "mixed_curvature": [[-1.0, 0.0, 0.0, 5.0, 5.0]],
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ANTIPODES)
def test_gradients_are_finite_everywhere(name, dtype):
    space = spaces.get(name)
    here = np.zeros((1, space.ambient_dim), dtype)
    if "sphere" in space.name or name in ("circle", "projective_plane"):
        here[0, 0] = 1.0
    x = np.concatenate([here, here, np.asarray(ANTIPODES[name], dtype)])
    for inhibitor in inhibitors.NAMES:
        value = weighted_sum(space, inhibitors.get(inhibitor), 1.0, x)
        if inhibitor == "constant":
            continue  # depends on no point
        assert np.all(np.isfinite(gradient(value, x)))
        together = gradient(
            lambda x: tf.reduce_sum(space.distance(x)), np.tile(here, (3, 1))
        )
        np.testing.assert_array_equal(together, 0.0)
