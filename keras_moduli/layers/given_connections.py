"""Connections that are given: tables of sources, and masks that hold some."""

import numpy as np
from keras import ops

from keras_moduli.utils.argument_validation import positive_integer

_SMALLEST_GROUP = 8
_NAME = "connections"
_SAME = object()  # as many sources as targets


def group_sizes(units):
    """The sizes that groups of `units` neurons may have, ascending."""
    smallest = min(_SMALLEST_GROUP, units)
    return [n for n in range(smallest, units + 1) if units % n == 0]


def checked_group_size(units, group_size):
    """`group_size` as an int, if groups of it fit."""
    group_size = positive_integer("group_size", group_size)
    sizes = group_sizes(units)
    if group_size not in sizes:
        raise ValueError(
            f"`group_size` must divide {units}, the number of units, and be "
            f"at least {sizes[0]}: one of {', '.join(map(str, sizes))}. "
            f"Received: group_size={group_size}"
        )
    return group_size


def given(connections, units, group_size=None, rows=_SAME, name=_NAME):
    """The table of sources that an array says.

    Args:
        connections: Array of integers or booleans, as in `sources`.
        units: How many targets.
        group_size: Targets per group. Defaults to `None`: what the array
            says.
        rows: How many sources there are; `None` if that is not known yet.
            Defaults to as many as targets.
        name: What errors call the array.

    Returns:
        int32 array of shape `(groups, fan_in)`.
    """
    rows = units if rows is _SAME else rows
    array = np.asarray(ops.convert_to_numpy(connections))
    if array.dtype == bool:
        return sources_of(array, units, group_size, rows, name)
    return checked_table(array, units, group_size, rows, name)


def sources_of(mask, units, group_size=None, rows=_SAME, name=_NAME):
    """The sources of the groups of a mask.

    Args:
        mask: Boolean array of shape `(rows, units)`, `[source, target]`.
        units: How many targets.
        group_size: Targets per group. Defaults to `None`: the most that share
            their sources.
        rows: As in `given`.
        name: What errors call the mask.

    Returns:
        int32 array of shape `(groups, fan_in)`.

    Raises:
        ValueError: If targets of a group differ in their sources, or groups
            in how many they have.
    """
    rows = units if rows is _SAME else rows
    if rows is None and mask.ndim == 2:
        rows = len(mask)
    if mask.shape != (rows, units):
        raise ValueError(
            f"A boolean `{name}` must have shape ({rows}, {units}), "
            f"[source, target]. Received: shape {mask.shape}"
        )
    counts = np.unique(mask.sum(axis=0))
    if len(counts) != 1 or counts[0] == 0:
        raise ValueError(
            f"All targets of `{name}` must have equally many sources, at "
            f"least one. Received: from {counts[0]} to {counts[-1]} sources"
        )
    sizes = (
        reversed(group_sizes(units))
        if group_size is None
        else [checked_group_size(units, group_size)]
    )
    for size in sizes:
        groups = mask.T.reshape(-1, size, rows)
        if (groups == groups[:, :1]).all():
            table = np.nonzero(groups[:, 0])[1].reshape(len(groups), -1)
            return table.astype("int32")
    raise ValueError(
        f"All targets of a group of `{name}` must have the same sources. "
        "Received: a mask in which they differ, in groups of "
        f"{group_size or _SMALLEST_GROUP}"
    )


def checked_table(table, units, group_size=None, rows=None, name=_NAME):
    """A table of sources, if it is one; `rows` and `name` as in `given`."""
    if table.ndim != 2 or not np.issubdtype(table.dtype, np.integer):
        raise ValueError(
            f"An array of `{name}` must be of integers, (groups, fan_in), "
            "or of booleans, (sources, units). "
            f"Received: {table.dtype} of shape {table.shape}"
        )
    groups = len(table)
    if group_size is None and groups and units % groups == 0:
        group_size = units // groups
    if units != groups * checked_group_size(units, group_size or units):
        raise ValueError(
            f"`{name}` must have a row for each group, units // "
            f"group_size. Received: {groups} rows for {units} units, "
            f"group_size={group_size}"
        )
    limit = np.iinfo("int32").max if rows is None else rows
    in_range = table.size and table.min() >= 0 and table.max() < limit
    if not in_range or (np.diff(np.sort(table, axis=1)) == 0).any():
        raise ValueError(
            f"`{name}` must be different sources from 0 to {limit - 1} "
            f"in each row. Received: {name}={table.tolist()!r:.200}"
        )
    return table.astype("int32")
