"""N of every M consecutive weights live."""

import dataclasses

from keras_moduli.patterns.base import Pattern
from keras_moduli.patterns.base import check_divides


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
        check_divides("m", (self.m, 1), path, shape, received=self.m)
        wanted = 1 - self.n / self.m
        if final_sparsity is not None and abs(final_sparsity - wanted) > 1e-6:
            raise ValueError(
                f"NOfM({self.n}, {self.m}) ends at sparsity {wanted:g}; the "
                "schedule must end there too. "
                f"Received: final sparsity {final_sparsity:g}"
            )
