"""The shapes in which weights are pruned: one by one, blocks, tiles, N:M.

A kernel is seen as an array `(rows, gates, columns)`: a row is a source, a
column a target, and a recurrent layer's gates stand side by side. A pattern
splits these axes and says which of the parts make one *unit*, something that
lives or is pruned as a whole.
"""

import dataclasses
from collections.abc import Callable

import numpy as np


class Pattern:
    """A way to split a kernel into units.

    Subclasses define `split(shape)`, the kernel's shape with some axes cut in
    two, and the attributes `pooled` (the axes of that shape that lie inside a
    unit) and `compete_axis` (the axis of the remaining array along which a
    fixed share of the units survives; `None` if all units compete with each
    other).

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


@dataclasses.dataclass(frozen=True)
class Blocks(Pattern):
    """Rectangles of consecutive sources and targets, in each gate for itself.

    TFLite's sparse kernels want blocks along the source axis: `(4, 1)` for
    float models, `(16, 1)` for 8-bit ones.

    Args:
        block_size: `(sources, targets)`, two positive integers.

    Example:

    >>> keras_moduli.patterns.Blocks((4, 1)).unit_size((64, 4, 64))
    4
    """

    block_size: tuple[int, int]

    pooled = (1, 4)

    def __post_init__(self):
        _check_pair("block_size", self.block_size)

    def split(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        rows, gates, columns = shape
        r, c = self.block_size
        return (rows // r, r, gates, columns // c, c)

    def check(
        self, path: str, shape: tuple[int, ...], final_sparsity: float | None
    ) -> None:
        _check_divides("block_size", self.block_size, path, shape)


@dataclasses.dataclass(frozen=True)
class Tiles(Pattern):
    """Rectangles of consecutive sources and targets, in all gates at once.

    A tile that lives is a small dense matrix for each gate, which is what
    makes a tiled model fast on a stock runtime.

    Args:
        tile_size: An integer, or `(sources, targets)`.
        balanced: Whether every target tile keeps the same number of source
            tiles.

    Example:

    >>> keras_moduli.patterns.Tiles(32).unit_size((64, 4, 64))
    4096
    """

    tile_size: tuple
    balanced: bool = False

    pooled = (1, 2, 4)

    def __post_init__(self):
        if isinstance(self.tile_size, int):
            # The dataclass is frozen; this is its documented way to finish.
            object.__setattr__(self, "tile_size", (self.tile_size,) * 2)
        _check_pair("tile_size", self.tile_size)

    @property
    def compete_axis(self) -> int | None:  # type: ignore[override]
        return 0 if self.balanced else None

    def split(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        rows, gates, columns = shape
        r, c = self.tile_size
        return (rows // r, r, gates, columns // c, c)

    def check(
        self, path: str, shape: tuple[int, ...], final_sparsity: float | None
    ) -> None:
        _check_divides("tile_size", self.tile_size, path, shape)


@dataclasses.dataclass(frozen=True)
class NOfM(Pattern):
    """N:M sparsity: `n` of every `m` consecutive sources live, per target.

    Args:
        n: How many weights of a group survive.
        m: How many consecutive weights make a group.

    Example:

    ```python
    two_of_four = keras_moduli.MagnitudePruning(
        pattern=keras_moduli.patterns.NOfM(2, 4), final_sparsity=0.5
    )
    ```
    """

    n: int
    m: int

    compete_axis = 1

    def __post_init__(self):
        if not (
            isinstance(self.n, int)
            and isinstance(self.m, int)
            and 0 < self.n < self.m
        ):
            raise ValueError(
                "`n` and `m` must be integers with 0 < n < m: n of every m "
                f"weights live. Received: n={self.n!r}, m={self.m!r}"
            )

    def split(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        rows, gates, columns = shape
        return (rows // self.m, self.m, gates, columns)

    def check(
        self, path: str, shape: tuple[int, ...], final_sparsity: float | None
    ) -> None:
        _check_divides("m", (self.m, 1), path, shape)
        wanted = 1 - self.n / self.m
        if final_sparsity is not None and abs(final_sparsity - wanted) > 1e-6:
            raise ValueError(
                f"NOfM({self.n}, {self.m}) ends at sparsity {wanted:g}; the "
                "schedule must end there too. "
                f"Received: final sparsity {final_sparsity:g}"
            )


def _check_pair(name, pair):
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


def _check_divides(name, pair, path, shape):
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
                f"Received: {name}={pair}"
            )
