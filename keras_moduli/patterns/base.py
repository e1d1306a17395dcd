"""What every pattern has; the pattern of single weights."""

import dataclasses
from collections.abc import Callable

import numpy as np


class Pattern:
    """A way to split a kernel into units.

    Subclasses define `split(shape)`, the kernel's shape with some axes cut in
    two, and the attributes `pooled` (the axes of that shape that lie inside a
    unit) and `compete_axis` (the axis of the remaining array along which a
    fixed share of the units survives; `None` if all units compete with each
    other). With `joined = True` it splits not a kernel but all weights of a
    recurrent layer's hidden units, `(weights, 1, units)`; see `HiddenUnits`.

    Example:

    ```python
    class Rows(keras_moduli.patterns.Pattern):
        pooled = (1, 2)  # a source's weights live or go together

        def split(self, shape):
            return shape

    pruning = keras_moduli.MagnitudePruning(schedule, pattern=Rows())
    ```
    """

    pooled: tuple[int, ...] = ()
    compete_axis: int | None = None
    joined: bool = False

    def split(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        raise NotImplementedError

    def pool(
        self, array: np.ndarray, reduce: Callable[..., np.ndarray]
    ) -> np.ndarray:
        """One value per unit: `reduce` over the entries of each."""
        array = array.reshape(self.split(array.shape))
        return reduce(array, axis=self.pooled) if self.pooled else array

    def expand(self, units: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """One value per entry of the kernel: that of the unit it is in."""
        if self.pooled:
            units = np.expand_dims(units, self.pooled)
        return np.broadcast_to(units, self.split(shape)).reshape(shape)

    def unit_size(self, shape: tuple[int, ...]) -> int:
        """How many entries of the kernel make one unit."""
        split = self.split(shape)
        return int(np.prod([split[axis] for axis in self.pooled], initial=1))

    def check(
        self, path: str, shape: tuple[int, ...], final_sparsity: float | None
    ) -> None:
        """Raises a ValueError if a kernel cannot be split this way."""
        del path, shape, final_sparsity


@dataclasses.dataclass(frozen=True)
class Unstructured(Pattern):
    """Every weight for itself.

    Example:

    >>> keras_moduli.patterns.Unstructured().unit_size((64, 4, 64))
    1
    """

    def split(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape


def check_pair(name, pair):
    if not (
        isinstance(pair, tuple)
        and len(pair) == 2
        and all(isinstance(n, int) and n > 0 for n in pair)
    ):
        raise ValueError(
            f"`{name}` must be two positive integers (sources, targets), such "
            "as (4, 1). "
            f"Received: {name}={pair!r}"
        )


def check_divides(name, pair, path, shape, received=None):
    rows, _, columns = shape
    for what, part, whole in zip(
        ("sources", "targets"), pair, (rows, columns), strict=True
    ):
        if whole % part:
            fitting = [n for n in range(1, whole + 1) if whole % n == 0]
            near = sorted(fitting, key=lambda n: abs(n - part))[:4]
            raise ValueError(
                f"`{name}` must divide the weights it is used on: '{path}' "
                f"has {whole} {what}{' per gate' * (what == 'targets')}, which "
                f"{sorted(near)} divide, but {part} does not. "
                f"Received: {name}={received or pair}"
            )
