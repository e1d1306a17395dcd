"""What the sparse cells share: building, and multiplying, a gathered kernel."""

import random

from keras import ops

from keras_moduli import spaces
from keras_moduli.layers.connections import Draw
from keras_moduli.layers.connections import share
from keras_moduli.layers.connections import source_count
from keras_moduli.layers.connections import sources
from keras_moduli.layers.initialization import PerFanIn
from keras_moduli.layers.input_connections import InputConnections
from keras_moduli.layers.layout import Gathering
from keras_moduli.layers.regularization import ByColumn
from keras_moduli.layers.regularization import on_connections
from keras_moduli.models.kernels import mark_gathered


class GatheredKernel:
    """Makes the kernels of one of Keras's cells gathered ones.

    To be inherited from before the cell of Keras. The weight
    `recurrent_kernel` has shape `(units // group_size, fan_in,
    gates * group_size)`, and so has `kernel`, if it was asked for.

    Attributes:
        gates: How many gates the cell has.
        connections: Their name, or `None` if a table was given.
        sources: int32 NumPy array of shape `(units // group_size, fan_in)`.
        kernel_sources: The same for the input kernel, once that is built;
            `None` if it is dense.
    """

    gates = 1

    def __init__(
        self,
        units,
        activation="tanh",
        *,
        fan_in=0.1,
        group_size=None,
        connections="own+random",
        space="torus",
        near_share=0.5,
        kernel_fan_in=None,
        kernel_connections="random",
        seed=None,
        **kwargs,
    ):
        # One that stays: the connections are made anew from it.
        seed = random.randint(1, 10**9) if seed is None else seed
        space = spaces.get(space)
        table = sources(
            units,
            fan_in,
            group_size,
            connections,
            space=space,
            seed=seed,
            near_share=near_share,
        )
        super().__init__(units, activation=activation, seed=seed, **kwargs)
        count = table.shape[1]
        named = isinstance(connections, str)
        asked = named and source_count(units, fan_in) == count
        self.fan_in = fan_in if asked else count
        self.group_size = units // len(table)
        self.connections = connections if named else None
        self.space = space
        self.near_share = share("near_share", near_share)
        self.sources = table
        self._asked = InputConnections(kernel_fan_in, kernel_connections, units)
        self.kernel_sources = None

    @property
    def kernel_fan_in(self):
        """The features of a group as they were asked for, `None` for all."""
        return self._asked.fan_in

    @property
    def kernel_connections(self):
        """Their name or, if they were given, `None`."""
        return self._asked.connections if self._asked.named else None

    def add_weight(self, shape=None, *args, name=None, **kwargs):
        """Adds a weight; the kernels in their gathered forms."""
        if name == "kernel":
            self.kernel_sources = self._asked.table(
                shape[0],
                self.group_size,
                Draw(self.space, self.seed, self.near_share, "identity", 1),
            )
            self._features = shape[0]
        gathering = self.gathering(name)
        if gathering is None:
            return super().add_weight(shape, *args, name=name, **kwargs)
        gates, constraint = self.gates, kwargs["constraint"]
        kwargs |= {
            "initializer": PerFanIn(
                kwargs["initializer"], gates, gathering.rows
            ),
            "regularizer": on_connections(kwargs["regularizer"], gathering),
            "constraint": constraint and ByColumn(constraint, gates),
        }
        weight = super().add_weight(gathering.shape, *args, name=name, **kwargs)
        mark_gathered(weight)
        return weight

    def gathering(self, name):
        """The `Gathering` of a weight, or `None` if it is a plain one."""
        if name == "recurrent_kernel":
            return Gathering(self.sources, self.units, self.units, self.gates)
        if name == "kernel" and self.kernel_sources is not None:
            return Gathering(
                self.kernel_sources, self._features, self.units, self.gates
            )
        return None

    def get_config(self):
        connections = self.connections
        return {
            **super().get_config(),
            "fan_in": self.fan_in,
            "group_size": self.group_size,
            "connections": (
                self.sources.tolist() if connections is None else connections
            ),
            "space": spaces.serialize(self.space),
            "near_share": self.near_share,
            **self._asked.config(),
        }

    def input_product(self, inputs, training):
        """The inputs, with dropout, times the kernel."""
        masks = None
        if training and 0.0 < self.dropout < 1.0:
            masks = self.get_dropout_mask(inputs)
        return _by_gates(self._input_product, inputs, masks, 0, self.gates)

    def _input_product(self, inputs, first, last):
        gathering = self.gathering("kernel")
        if gathering is not None:
            return gathering.product(inputs, self.kernel, first, last)
        kernel = self.kernel
        if last - first != self.gates:
            kernel = kernel[:, first * self.units : last * self.units]
        return ops.matmul(inputs, kernel)

    def recurrent_masks(self, state, training):
        """One dropout mask for all gates, a list of one for each, or None."""
        if training and 0.0 < self.recurrent_dropout < 1.0:
            return self.get_recurrent_dropout_mask(state)
        return None

    def recurrent_product(self, state, masks, first=0, last=None):
        """The state, with dropout, times the kernel of some gates.

        Args:
            state: Tensor of shape `(batch, units)`.
            masks: What `recurrent_masks` returned.
            first: The first gate.
            last: The gate after the last. Defaults to `None`: all.

        Returns:
            Tensor of shape `(batch, gates * units)`.
        """

        def product(state, first, last):
            gathering = self.gathering("recurrent_kernel")
            return gathering.product(state, self.recurrent_kernel, first, last)

        last = self.gates if last is None else last
        return _by_gates(product, state, masks, first, last)


def _by_gates(product, tensor, masks, first, last):
    """A product of what dropout leaves, gate by gate if their masks differ."""
    if masks is None:
        return product(tensor, first, last)
    if not isinstance(masks, list):
        return product(tensor * masks, first, last)
    parts = [
        product(tensor * masks[gate], gate, gate + 1)
        for gate in range(first, last)
    ]
    return ops.concatenate(parts, axis=1)
