"""Which sources the groups of a sparse recurrent layer read."""

import numbers
from typing import Any

import numpy as np

from keras_moduli import inhibitors
from keras_moduli import spaces
from keras_moduli.layers import given_connections
from keras_moduli.spaces.curves import curve_order
from keras_moduli.spaces.curves import even_points
from keras_moduli.spaces.neighbours import nearest_sources
from keras_moduli.utils.argument_validation import positive_integer

# Group sizes that are chosen without being asked for.
_LARGEST_GROUP = 64


class Random:
    """A group reads any sources."""

    reads_itself = False

    def count(self, group_size, count):
        """How many sources a group has, `count` being asked for."""
        del group_size
        return count

    def table(self, units, group_size, count, draw):
        """The sources of all groups, `(groups, count)`."""
        nothing = np.empty((units // group_size, 0), "int32")
        return _with_random(nothing, units, count, draw.seed)


class Near(Random):
    """A group reads itself and its nearest, up to a share; the rest random."""

    reads_itself = True

    def __init__(self, near_share):
        self._near_share = near_share

    def table(self, units, group_size, count, draw):
        fixed = max(group_size, round(self._near_share(draw) * count))
        if fixed == group_size:
            near = np.arange(units).reshape(-1, group_size)
        else:
            points = even_points(draw.space, units, draw.seed)
            points = points[curve_order(draw.space, points)]
            near = nearest_sources(
                draw.space, points, group_size, fixed, draw.inhibitor
            )
        return _with_random(near, units, count, draw.seed)


class Own(Near):
    """A group reads itself only."""

    def __init__(self):
        super().__init__(lambda draw: 0.0)

    def count(self, group_size, count):
        del count
        return group_size


KINDS: dict[str, Random] = {
    "near": Near(lambda draw: 1.0),
    "near+random": Near(lambda draw: draw.near_share),
    "own+random": Near(lambda draw: 0.0),
    "own": Own(),
    "random": Random(),
}


class Draw:
    """What connections are drawn with."""

    def __init__(self, space, seed, near_share, inhibitor):
        self.space = spaces.get(space)
        self.seed = seed
        self.near_share = share("near_share", near_share)
        self.inhibitor = inhibitors.get(inhibitor)


def sources(
    units: int,
    fan_in: float | int = 0.1,
    group_size: int | None = None,
    connections: Any = "own+random",
    *,
    space: Any = "torus",
    seed: int = 0,
    near_share: float = 0.5,
    inhibitor: Any = "identity",
) -> np.ndarray:
    """The sources that groups of consecutive targets read.

    Args:
        units: How many neurons.
        fan_in: Sources of a group: a share of the units, as a float in
            (0, 1], or their number, as an integer. Not used by `"own"` and by
            connections that are given. Defaults to `0.1`.
        group_size: Targets per group; divides `units`. Defaults to `None`:
            the largest that fits, at most 64.
        connections: `"near"`: the group and the sources nearest to it on the
            space; `"near+random"`: the same for a share of the sources, the
            rest at random; `"own+random"`: the group and others at random;
            `"own"`: the group alone; `"random"`: any; an integer array of
            shape `(groups, fan_in)`; or a boolean array of shape
            `(units, units)`, `[source, target]`. Defaults to `"own+random"`.
        space: Where `"near"` and `"near+random"` measure distances, between
            evenly spread points in the order of a curve. Defaults to
            `"torus"`.
        seed: A non-negative integer. Defaults to `0`.
        near_share: Share of the sources of `"near+random"` that are near.
            Defaults to `0.5`.
        inhibitor: From distance to the penalty that near sources have least
            of. Defaults to `"identity"`.

    Returns:
        int32 NumPy array of shape `(units // group_size, fan_in)`.

    Raises:
        ValueError: If sizes do not fit each other or the connections.

    Example:

    >>> keras_moduli.layers.sources(1024, 0.1, 64, "near").shape
    (16, 102)
    >>> keras_moduli.layers.sources(16, group_size=8, connections="own")
    array([[ 0,  1,  2,  3,  4,  5,  6,  7],
           [ 8,  9, 10, 11, 12, 13, 14, 15]], dtype=int32)
    """
    units = positive_integer("units", units)
    if not isinstance(connections, str):
        return given_connections.given(connections, units, group_size)
    if connections not in KINDS:
        raise ValueError(
            f"`connections` must be one of {', '.join(KINDS)}, an integer "
            "array (groups, fan_in) or a boolean array (units, units). "
            f"Received: connections={connections!r}"
        )
    kind = KINDS[connections]
    wanted = source_count(units, fan_in)
    group_size = _group_size(units, group_size, wanted, kind.reads_itself)
    count = kind.count(group_size, wanted)
    if kind.reads_itself and count < group_size:
        raise ValueError(
            f"With connections={connections!r} a group reads itself, so "
            "`fan_in` must be at least `group_size` sources. Take smaller "
            "groups, a larger `fan_in` or connections='random'. Received: "
            f"fan_in={fan_in!r} ({wanted} of {units} units), "
            f"group_size={group_size}"
        )
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(
            f"`seed` must be a non-negative integer. Received: seed={seed!r}"
        )
    draw = Draw(space, seed, near_share, inhibitor)
    return kind.table(units, group_size, count, draw)


def source_count(units, fan_in):
    """How many sources `fan_in` is."""
    if isinstance(fan_in, numbers.Integral) and not isinstance(fan_in, bool):
        if 1 <= fan_in <= units:
            return int(fan_in)
    elif isinstance(fan_in, numbers.Real) and not isinstance(fan_in, bool):
        if 0 < fan_in <= 1:
            return max(1, round(float(fan_in) * units))
    raise ValueError(
        "`fan_in` must be a float in (0, 1], a share of the units, or an "
        f"integer from 1 to {units}. Received: fan_in={fan_in!r}"
    )


def share(name, value):
    """`value` as a float, if it is a number from 0 to 1."""
    if (
        isinstance(value, bool)
        or not isinstance(value, numbers.Real)
        or not 0 <= value <= 1
    ):
        raise ValueError(
            f"`{name}` must be a number from 0 to 1. Received: {name}={value!r}"
        )
    return float(value)


def _group_size(units, group_size, wanted, reads_itself):
    if group_size is not None:
        return given_connections.checked_group_size(units, group_size)
    limit = min(_LARGEST_GROUP, wanted) if reads_itself else _LARGEST_GROUP
    sizes = given_connections.group_sizes(units)
    return max([size for size in sizes if size <= limit] or sizes[:1])


def _with_random(table, units, count, seed):
    """Fills rows up to `count` with other sources at random."""
    generator = np.random.default_rng(seed)
    rows = []
    for row in table:
        others = np.setdiff1d(np.arange(units), row)
        more = generator.choice(others, count - len(row), replace=False)
        rows.append(np.sort(np.concatenate([row, more])))
    return np.stack(rows).astype("int32")
