"""The statistics of random points that the method's constants rest on."""

import numpy as np
import pytest

from keras_moduli import inhibitors
from keras_moduli import spaces

# Mean distance, mean squared distance, mean inverted difference of Gaussians,
# and the fraction of pairs whose penalty is below half of its maximum.
POPULATION = {
    "circle": (7.85, 82.2, 71.3, 0.111),
    "sphere": (7.85, 73.3, 76.5, 0.043),
    "torus": (3.83, 16.67, 66.3, 0.137),
    "klein_bottle": (3.80, 16.4, 66.3, 0.137),
    "torus6": (6.94, 50.0, 80.6, 0.0005),
    "sphere3": (15.7, 279.0, 80.8, 0.002),
}


@pytest.mark.parametrize("name", POPULATION)
def test_population_statistics(name):
    space = spaces.get(name)
    x = space.random_uniform(1500, seed=0)
    distance = np.asarray(space.distance(x))
    penalty = np.asarray(inhibitors.get("difference_of_gaussians")(distance))
    spared = np.mean(penalty < 81.1425 / 2)
    measured = (distance.mean(), (distance**2).mean(), penalty.mean())
    np.testing.assert_allclose(measured, POPULATION[name][:3], rtol=0.02)
    # The rare pairs are sampled: 2 % only where there are many of them.
    np.testing.assert_allclose(
        spared, POPULATION[name][3], rtol=0.02, atol=0.0006
    )


def test_difference_of_gaussians_values():
    dog = inhibitors.get("difference_of_gaussians")
    np.testing.assert_allclose(dog.peak, (0.88789, 81.1425), rtol=1e-5)
    raw = inhibitors.DifferenceOfGaussians(inverted=False)
    np.testing.assert_allclose(
        np.asarray(raw(np.float64([0.0, 0.5, 1.0, 2.0, 3.0, 5.0]))),
        [0.0, 58.335, 80.0415, 44.9329, 16.5299, 0.6738],
        rtol=1e-4,
    )
