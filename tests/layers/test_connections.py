"""Every kind of connections keeps its promise."""

import numpy as np
import pytest

from keras_moduli import spaces
from keras_moduli.layers import sources
from keras_moduli.spaces.curves import curve_order
from keras_moduli.spaces.curves import even_points
from keras_moduli.spaces.neighbours import nearest_sources

UNITS, SIZE, COUNT = 96, 8, 24
OWN = np.arange(UNITS).reshape(-1, SIZE)
KINDS = ("near", "near+random", "own+random", "random", "own")


def drawn(connections, **kwargs):
    return sources(UNITS, COUNT, SIZE, connections, **{"seed": 1, **kwargs})


def mask_of(table, units=UNITS, size=SIZE):
    mask = np.zeros((units, len(table), size), bool)
    for group, row in enumerate(table):
        mask[row, group] = True
    return mask.reshape(units, units)


@pytest.mark.parametrize("kind", KINDS)
def test_exact_fan_in_and_the_same_again(kind):
    table = drawn(kind)
    count = SIZE if kind == "own" else COUNT
    assert table.shape == (UNITS // SIZE, count)
    assert table.dtype == np.int32
    assert (np.diff(table, axis=1) > 0).all()
    assert table.min() >= 0 and table.max() < UNITS
    np.testing.assert_array_equal(table, drawn(kind))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "random"])
def test_a_group_reads_itself(kind):
    for own, row in zip(OWN, drawn(kind), strict=True):
        assert set(own) <= set(row)


@pytest.mark.parametrize("kind", ["near+random", "own+random", "random"])
def test_the_seed_matters(kind):
    assert (drawn(kind) != drawn(kind, seed=2)).any()


def nearest(count, space="torus"):
    space = spaces.get(space)
    points = even_points(space, UNITS, 1)
    points = points[curve_order(space, points)]
    return nearest_sources(space, points, SIZE, count)


def test_near_ones_are_the_nearest():
    np.testing.assert_array_equal(drawn("near"), nearest(COUNT))
    np.testing.assert_array_equal(
        drawn("near", space="sphere2"), nearest(COUNT, "sphere2")
    )


@pytest.mark.parametrize("share", [0.0, 0.5, 0.75, 1.0])
def test_near_and_random(share):
    table = drawn("near+random", near_share=share)
    fixed = nearest(max(SIZE, round(share * COUNT)))
    for near, row in zip(fixed, table, strict=True):
        assert set(near) <= set(row)


def test_random_ones_are_spread():
    read = np.bincount(drawn("random").ravel(), minlength=UNITS)
    # 3 on average; a binomial's chance to exceed 12 is below one in 10^5.
    assert read.max() <= 12
    assert np.count_nonzero(read) > UNITS * 0.8


def test_given_tables_and_masks():
    table = drawn("own+random")
    np.testing.assert_array_equal(
        sources(UNITS, connections=table.tolist()), table
    )
    np.testing.assert_array_equal(
        sources(UNITS, connections=mask_of(table)), table
    )
    np.testing.assert_array_equal(
        sources(UNITS, connections=mask_of(table), group_size=SIZE), table
    )


@pytest.mark.parametrize(
    ("units", "fan_in", "size"),
    [(1024, 0.1, 64), (512, 0.1, 32), (1000, 0.1, 50), (128, 0.5, 64)],
)
def test_group_size_that_fits(units, fan_in, size):
    assert sources(units, fan_in).shape == (
        units // size,
        round(units * fan_in),
    )


UNEVEN = mask_of(drawn("own+random"))
UNEVEN[0, 0] = ~UNEVEN[0, 0]
LONELY = np.eye(UNITS, dtype=bool)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"fan_in": 0}, "`fan_in` must be a float in"),
        ({"fan_in": 1.5}, "`fan_in`.*Received: fan_in=1.5"),
        ({"fan_in": True}, "`fan_in`"),
        ({"fan_in": 97}, "integer from 1 to 96"),
        ({"group_size": 10}, "one of 8, 12, 16, 24, 32, 48, 96"),
        ({"group_size": 4}, "at least 8"),
        ({"group_size": 48}, "must be at least `group_size` sources"),
        ({"connections": "far"}, "near, near.random, own.random"),
        ({"seed": -1}, "`seed` must be a non-negative integer"),
        ({"near_share": 2}, "`near_share` must be a number from 0 to 1"),
        ({"connections": UNEVEN}, "equally many"),
        ({"connections": LONELY}, "the same sources"),
        ({"connections": LONELY[:, :8]}, "must have shape"),
        ({"connections": [[0.5]]}, "integers"),
        ({"connections": [[0, 0]]}, "different sources from 0 to 95"),
        ({"connections": [[0, 96]]}, "different sources"),
        ({"connections": [[0]] * 7}, "7 rows for 96 units"),
    ],
)
def test_errors(kwargs, message):
    with pytest.raises(ValueError, match=message) as error:
        sources(UNITS, **kwargs)
    assert "Received: " in str(error.value)


def test_the_group_itself_is_near():
    """With more targets than near sources no other near one is left."""
    near = sources(512, 0.1, 32, "near+random", near_share=0.5, seed=0)
    own = sources(512, 0.1, 32, "own+random", seed=0)
    np.testing.assert_array_equal(np.sort(near), np.sort(own))
