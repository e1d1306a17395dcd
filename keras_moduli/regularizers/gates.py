"""How a recurrent kernel is laid out: units and gates."""

import numbers
import typing

from keras_moduli import inhibitors
from keras_moduli.utils.argument_validation import not_negative
from keras_moduli.utils.argument_validation import positive_integer


class Gate(typing.NamedTuple):
    """What one gate's penalty is: `inhibitor` None is the regularizer's."""

    inhibitor: typing.Any
    factor: float

    def serialize(self):
        if self.inhibitor is None:
            return self.factor
        return inhibitors.serialize(self.inhibitor)


def gate_list(gates):
    """Reads the argument `gates`.

    Args:
        gates: `None`, the number of gates, or a list of factors and
            inhibitors.

    Returns:
        `None`, or a tuple of `Gate`s.
    """
    if gates is None:
        return None
    if isinstance(gates, numbers.Integral):
        return (Gate(None, 1.0),) * positive_integer("gates", gates)
    if isinstance(gates, str | dict) or not len(gates):
        raise ValueError(
            "`gates` must be the number of gates, or a list with a factor or "
            f"an inhibitor for each. Received: gates={gates!r}"
        )
    return tuple(
        Gate(None, not_negative("gates", gate))
        if isinstance(gate, numbers.Real)
        else Gate(inhibitors.get(gate), 1.0)
        for gate in gates
    )


def layout(kernel, gates=None):
    """How the weights of a kernel are arranged.

    Args:
        kernel: Tensor or variable.
        gates: The gates, if they were given.

    Returns:
        `(source_units, gates, target_units)`.

    Raises:
        ValueError: If the kernel's shape cannot be that of a recurrent
            kernel, or, with `gates`, of a kernel with so many gates.
    """
    shape = tuple(kernel.shape)
    if len(shape) > 2:
        raise ValueError(
            "ModuliRegularizer places single neurons on a space; it cannot "
            "regularize convolutional kernels such as ConvLSTM's. "
            f"Received: a kernel of shape {shape}"
        )
    if len(shape) < 2 or 0 in shape:
        raise ValueError(
            "ModuliRegularizer needs a kernel of shape (units, gates * "
            f"units). Received: a kernel of shape {shape}"
        )
    if gates is None:
        if shape[1] % shape[0]:
            raise ValueError(
                "ModuliRegularizer needs a recurrent kernel, of shape "
                "(units, gates * units); for other kernels give `gates`. "
                f"Received: a kernel of shape {shape}"
            )
        return shape[0], shape[1] // shape[0], shape[0]
    if shape[1] % len(gates):
        raise ValueError(
            f"`gates` says that there are {len(gates)} gates, so a kernel's "
            "second axis must be a multiple of that. "
            f"Received: a kernel of shape {shape}"
        )
    return shape[0], len(gates), shape[1] // len(gates)
