"""Which sources the groups of a sparse recurrent layer read."""

import numbers
from typing import Any
from typing import NamedTuple

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


class Groups(NamedTuple):
    """What is to be connected: groups of targets, and how many sources."""

    sources: int
    targets: int
    size: int

    @property
    def recurrent(self):
        """Whether targets and sources are the same neurons."""
        return self.sources == self.targets

    @property
    def own(self):
        """How many sources stand for a group itself."""
        return max(1, round(self.size * self.sources / self.targets))


class Random:
    """A group reads any sources."""

    reads_itself = False

    def count(self, groups, count):
        """How many sources a group has, `count` being asked for."""
        del groups
        return count

    def table(self, groups, count, draw):
        """The sources of all groups, `(groups, count)`."""
        nothing = np.empty((groups.targets // groups.size, 0), "int32")
        return _with_random(nothing, groups.sources, count, draw.random_seed)


class Near(Random):
    """A group reads itself and its nearest, up to a share; the rest random."""

    reads_itself = True

    def __init__(self, near_share):
        self._near_share = near_share

    def table(self, groups, count, draw):
        fixed = max(groups.own, round(self._near_share(draw) * count))
        if groups.recurrent and fixed == groups.size:
            near = np.arange(groups.sources).reshape(-1, groups.size)
        else:
            near = draw.nearest(groups, fixed)
        return _with_random(near, groups.sources, count, draw.random_seed)


class Own(Near):
    """A group reads itself only."""

    def __init__(self):
        super().__init__(lambda draw: 0.0)

    def count(self, groups, count):
        del count
        return groups.own


KINDS: dict[str, Random] = {
    "near": Near(lambda draw: 1.0),
    "near+random": Near(lambda draw: draw.near_share),
    "own+random": Near(lambda draw: 0.0),
    "own": Own(),
    "random": Random(),
}


class Draw:
    """What connections are drawn with.

    Args:
        space: Where distances are measured.
        seed: Of the points, and of what is random.
        near_share: Share of the near sources.
        inhibitor: From distance to penalty.
        number: Of the kernel, where several are drawn with one seed: they
            have the same points, and other random sources.
    """

    def __init__(self, space, seed, near_share, inhibitor, number=0):
        self.space = spaces.get(space)
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise ValueError(
                "`seed` must be a non-negative integer. "
                f"Received: seed={seed!r}"
            )
        self.seed = seed
        self.random_seed = [seed, number] if number else seed
        self.near_share = share("near_share", near_share)
        self.inhibitor = inhibitors.get(inhibitor)

    def nearest(self, groups, count):
        """The `count` sources nearest to each group."""
        return nearest_sources(
            self.space,
            self._points(groups.sources),
            groups.size,
            count,
            self.inhibitor,
            None if groups.recurrent else self._points(groups.targets),
        )

    def _points(self, units):
        points = even_points(self.space, units, self.seed)
        return points[curve_order(self.space, points)]


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
        near_share: Share of the sources of `"near+random"` that are near, the
            group itself among them. Defaults to `0.5`.
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
    kind = kind_of(
        connections,
        " an integer array (groups, fan_in), a boolean array (units, units),",
    )
    wanted = source_count(units, fan_in)
    group_size = chosen_group_size(units, group_size, wanted, kind)
    return table(
        connections,
        Groups(units, units, group_size),
        fan_in,
        Draw(space, seed, near_share, inhibitor),
    )


def kind_of(connections, others="", name="connections"):
    """The kind of connections of a name; `others` says what else may be."""
    if connections not in KINDS:
        raise ValueError(
            f"`{name}` must be{others} one of {', '.join(KINDS)}. "
            f"Received: {name}={connections!r}"
        )
    return KINDS[connections]


# What arguments are called in errors.
_NAMES = {"fan_in": "fan_in", "connections": "connections"}


def table(connections, groups, fan_in, draw, names=_NAMES):
    """The sources of groups, for connections that have a name.

    Args:
        connections: A name in `KINDS`.
        groups: `Groups`.
        fan_in: Sources of a group, a share or a number.
        draw: A `Draw`.
        names: What `fan_in` and `connections` are called in errors.

    Returns:
        int32 NumPy array of shape `(groups, count)`.

    Raises:
        ValueError: If a group cannot have so many sources.
    """
    kind = kind_of(connections, name=names["connections"])
    wanted = source_count(groups.sources, fan_in, names["fan_in"])
    count = kind.count(groups, wanted)
    if kind.reads_itself and count < groups.own:
        named, many = names["connections"], names["fan_in"]
        least = (
            "`group_size`" if groups.recurrent else f"a group's {groups.own}"
        )
        raise ValueError(
            f"With {named}={connections!r} a group reads itself, so "
            f"`{many}` must be at least {least} sources. Take smaller "
            f"groups, a larger `{many}` or {named}='random'. Received: "
            f"{many}={fan_in!r} ({wanted} of {groups.sources} units), "
            f"group_size={groups.size}"
        )
    return kind.table(groups, count, draw)


def source_count(units, fan_in, name="fan_in"):
    """How many sources `fan_in` is; `name` is what errors call it."""
    if isinstance(fan_in, numbers.Integral) and not isinstance(fan_in, bool):
        if 1 <= fan_in <= units:
            return int(fan_in)
    elif isinstance(fan_in, numbers.Real) and not isinstance(fan_in, bool):
        if 0 < fan_in <= 1:
            return max(1, round(float(fan_in) * units))
    raise ValueError(
        f"`{name}` must be a float in (0, 1], a share of the units, or an "
        f"integer from 1 to {units}. Received: {name}={fan_in!r}"
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


def chosen_group_size(units, group_size, wanted, kind):
    """The group size that was given, or, for `None`, one that suits.

    Args:
        units: How many neurons.
        group_size: An integer or `None`.
        wanted: How many sources a group shall read.
        kind: One of the values of `KINDS`.
    """
    if group_size is not None:
        return given_connections.checked_group_size(units, group_size)
    limit = min(_LARGEST_GROUP, wanted) if kind.reads_itself else _LARGEST_GROUP
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
