"""Rectangles of weights that live or are pruned together."""

import dataclasses

from keras_moduli.patterns.base import Pattern
from keras_moduli.patterns.base import check_divides
from keras_moduli.patterns.base import check_pair


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
        check_pair("block_size", self.block_size)

    def split(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        rows, gates, columns = shape
        r, c = self.block_size
        return (rows // r, r, gates, columns // c, c)

    def check(
        self, path: str, shape: tuple[int, ...], final_sparsity: float | None
    ) -> None:
        check_divides("block_size", self.block_size, path, shape)


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
        check_pair("tile_size", self.tile_size)

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
        check_divides("tile_size", self.tile_size, path, shape)
