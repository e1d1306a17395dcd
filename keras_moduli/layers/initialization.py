"""Initial values of a gathered kernel."""

from keras import ops

from keras_moduli.layers.layout import from_matrix


class PerFanIn:
    """Initializes a gathered kernel as if its layer were as small as it is.

    A unit here has `fan_in` sources, and a source the same share of the
    targets: among the units themselves, `fan_in` of them. So the initializer
    is asked for kernels of that size, `(fan_in, gates * targets)`, as often
    as it takes, and their columns go to the targets in turn: with Keras's
    default each matrix of a gate's `fan_in` targets is orthogonal, and with
    all sources the kernel is the plain layer's. What a mask leaves of a dense
    initial kernel is too small by the root of the density instead.

    Args:
        initializer: A Keras initializer.
        gates: How many gates.
        rows: How many sources the plain kernel has.
    """

    def __init__(self, initializer, gates, rows):
        self._initializer = initializer
        self._gates = gates
        self._rows = rows

    def __call__(self, shape, dtype=None):
        groups, fan_in, columns = shape
        units = groups * columns // self._gates
        targets = max(1, round(units * fan_in / self._rows))
        tiles = [
            ops.reshape(
                draw((fan_in, self._gates * targets), dtype=dtype),
                (fan_in, self._gates, targets),
            )
            for draw in _draws(self._initializer, -(-units // targets))
        ]
        matrix = ops.concatenate(tiles, axis=2)[:, :, :units]
        matrix = ops.reshape(matrix, (fan_in, self._gates * units))
        return from_matrix(matrix, groups, self._gates)


def _draws(initializer, count):
    """The initializer, and others like it that give other numbers.

    An initializer of Keras gives the same numbers whenever it is called.
    """
    seed = getattr(initializer, "seed", None)
    if not isinstance(seed, int):
        return [initializer] * count
    config = initializer.get_config()
    return [initializer] + [
        type(initializer).from_config({**config, "seed": seed + later})
        for later in range(1, count)
    ]
