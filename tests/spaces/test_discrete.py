"""The discrete space, against what can be counted."""

import numpy as np
import pytest

from keras_moduli import ModuliRegularizer
from keras_moduli import spaces


def test_every_neuron_is_near_to_itself_alone():
    penalty = ModuliRegularizer("discrete", "identity", seed=0).penalty(9)
    np.testing.assert_array_equal(np.asarray(penalty), 1 - np.eye(9))


@pytest.mark.parametrize("units", [12, 14])
def test_a_group_shares_its_point(units):
    space = spaces.get("discrete4")
    random = ModuliRegularizer(space, "identity", seed=0)
    ordered = ModuliRegularizer(space, "identity", points="ordered", seed=0)
    for regularizer in (random, ordered):
        near = np.asarray(regularizer.penalty(units)) == 0
        sizes = near.sum(axis=0)
        assert (
            sorted(sizes)[::-1]
            == sorted([4] * (units - units % 4) + [units % 4] * (units % 4))[
                ::-1
            ]
        )
    expected = np.kron(np.eye(4), np.ones((4, 4)))[:units, :units]
    np.testing.assert_array_equal(near, expected > 0)


def test_kernels_between_layers_of_two_sizes():
    regularizer = ModuliRegularizer(
        "discrete", "identity", points="ordered", seed=0, gates=1
    )
    penalty = np.asarray(regularizer.penalty(5, 8))
    np.testing.assert_array_equal(penalty, 1 - np.eye(5, 8))


def test_its_points_cannot_be_trained():
    with pytest.raises(ValueError, match="dimension 0.*Received"):
        ModuliRegularizer("discrete", trainable=True)


@pytest.mark.parametrize("group_size", [0, -1, 2.0, True])
def test_group_size_is_checked(group_size):
    with pytest.raises(ValueError, match="group_size.*Received"):
        spaces.Discrete(group_size=group_size)
