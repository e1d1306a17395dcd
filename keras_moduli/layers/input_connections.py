"""Which features the groups of a sparse recurrent layer read."""

import numpy as np

from keras_moduli.layers import connections as kinds
from keras_moduli.layers import given_connections

_NAMES = {"fan_in": "kernel_fan_in", "connections": "kernel_connections"}


class InputConnections:
    """How a layer's input kernel was asked for, before its size is known.

    Args:
        fan_in: Features of a group, a share or a number; `None` for all.
        connections: A name in `KINDS`, or an array as in `sources`.
        units: How many neurons the layer has.
    """

    def __init__(self, fan_in, connections, units):
        self.named = isinstance(connections, str)
        if self.named:
            kinds.kind_of(
                connections,
                " an integer array (groups, fan_in), a boolean array "
                "(features, units),",
                _NAMES["connections"],
            )
        else:
            connections = given_connections.given(
                connections, units, rows=None, name=_NAMES["connections"]
            )
            fan_in = connections.shape[1]
        self.fan_in = fan_in
        self.connections = connections
        self._units = units

    def table(self, features, group_size, draw):
        """The features that groups read, `(groups, count)`, or `None`."""
        if self.fan_in is None:
            return None
        if not self.named:
            return given_connections.checked_table(
                self.connections, self._units, rows=features,
                name=_NAMES["connections"],
            )  # fmt: skip
        groups = kinds.Groups(features, self._units, group_size)
        return kinds.table(self.connections, groups, self.fan_in, draw, _NAMES)

    def config(self):
        """The two arguments as they stand in a config."""
        given = np.asarray(self.connections).tolist()
        return {
            "kernel_fan_in": self.fan_in,
            "kernel_connections": self.connections if self.named else given,
        }
