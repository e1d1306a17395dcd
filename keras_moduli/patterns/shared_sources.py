"""Groups of targets that share their sources: constant fan-in, in groups."""

import dataclasses

from keras_moduli.patterns.base import Pattern
from keras_moduli.patterns.base import check_divides
from keras_moduli.utils.argument_validation import positive_integer


@dataclasses.dataclass(frozen=True)
class SharedSources(Pattern):
    """Consecutive targets, in all gates, read the same few sources.

    Every group reads as many: constant fan-in. A kernel pruned so is one
    gather and one small dense product for each group, which runs fast in
    training (`keras_moduli.layers`) and in a `.tflite` file
    (`layout="gathered"`), at any quantization.

    Args:
        group_size: How many consecutive targets make a group, a positive
            integer that divides the number of units. Between 8 and 512 files
            run fast: the larger, the faster.

    Example:

    >>> keras_moduli.patterns.SharedSources(16).unit_size((64, 4, 64))
    64

    Reference:

    - Constant fan-in: [Dynamic sparse training with structured sparsity](
        https://arxiv.org/abs/2305.02299)
    """

    group_size: int = 64

    pooled = (1, 3)
    compete_axis = 0

    def __post_init__(self):
        positive_integer("group_size", self.group_size)

    def split(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        rows, gates, columns = shape
        return (rows, gates, columns // self.group_size, self.group_size)

    def check(
        self, path: str, shape: tuple[int, ...], final_sparsity: float | None
    ) -> None:
        size = self.group_size
        check_divides("group_size", (1, size), path, shape, received=size)
