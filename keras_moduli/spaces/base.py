"""What every moduli space has."""

import math
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from keras_moduli.utils.argument_validation import natural
from keras_moduli.utils.argument_validation import positive_integer
from keras_moduli.utils.serialization import Configured
from keras_moduli.utils.typing import Tensor


class ModuliSpace(Configured):
    """A metric space that neurons are placed on.

    A space of your own needs two methods, `draw` and `pairwise`:

    ```python
    @keras.saving.register_keras_serializable(package="mine")
    class Segment(keras_moduli.spaces.ModuliSpace):
        def __init__(self):
            super().__init__(dim=1, ambient_dim=1, diameter=10.0)

        def draw(self, n, generator):
            return generator.uniform(0.0, 10.0, (n, 1))

        def pairwise(self, x, y):
            return keras.ops.abs(x[:, 0][:, None] - y[:, 0][None, :])

    keras_moduli.ModuliRegularizer(Segment())
    ```

    Override `project` too if some arrays of shape `(n, ambient_dim)` are not
    points of the space, and `get_config` if the constructor has arguments.

    Args:
        dim: Dimension of the space, an integer of at least 0.
        ambient_dim: Number of coordinates of a point.
        diameter: The largest distance of two points; `math.inf` if there is
            none.
        name: What to call the space. Defaults to the class's name in snake
            case.
    """

    # Whether `draw` spreads points as evenly as can be.
    draws_evenly = False

    def __init__(
        self,
        dim: int,
        ambient_dim: int,
        diameter: float = math.inf,
        name: str | None = None,
    ) -> None:
        self.dim = natural("dim", dim)
        self.ambient_dim = positive_integer("ambient_dim", ambient_dim)
        self.diameter = float(diameter)
        self.name = name or _snake_case(type(self).__name__)
        has_cube = type(self).from_cube is not ModuliSpace.from_cube
        self.cube_dim = self.dim if has_cube else None

    def draw(self, n: int, generator: np.random.Generator) -> np.ndarray:
        """Draws points from the space's volume, uniformly.

        Args:
            n: How many.
            generator: A `numpy.random.Generator`.

        Returns:
            A NumPy array of shape `(n, ambient_dim)`.
        """
        raise NotImplementedError(f"{type(self).__name__}.draw")

    def pairwise(self, x: Tensor, y: Tensor) -> Tensor:
        """Distances of all pairs, with `keras.ops`.

        Args:
            x: Tensor of shape `(n, ambient_dim)`.
            y: Tensor of shape `(m, ambient_dim)`, of the same dtype.

        Returns:
            Tensor of shape `(n, m)`.
        """
        raise NotImplementedError(f"{type(self).__name__}.pairwise")

    def project(self, x: Tensor) -> Tensor:
        """The nearest points of the space, or the standard representatives.

        Args:
            x: Tensor or array of shape `(n, ambient_dim)`.

        Returns:
            Tensor of the same shape.
        """
        return ops.convert_to_tensor(x)

    def nearest(self, x: Tensor, y: Tensor) -> Tensor:
        """The representatives of points `y` that lie nearest to points `x`.

        Spaces that are glued from a plane name a point in many ways; this is
        the name that makes `y - x` short. Elsewhere it is `y`.

        Args:
            x: Array of shape `(n, ambient_dim)`.
            y: Array of the same shape.

        Returns:
            Array of the same shape.
        """
        return y

    def excess(self, x: np.ndarray) -> np.ndarray:
        """How far points lie off the space, as `belongs` measures it.

        Args:
            x: NumPy array of shape `(n, ambient_dim)`.

        Returns:
            NumPy array of shape `(n,)`; at most 0 for points of the space.
        """
        projected = ops.convert_to_numpy(self.project(x))
        return np.max(np.abs(projected - x), axis=-1)

    def from_cube(self, u: np.ndarray) -> np.ndarray:
        """Spreads evenly spread points of a cube over the space.

        Args:
            u: NumPy array of shape `(n, cube_dim)` with values in `[0, 1)`.

        Returns:
            NumPy array of shape `(n, ambient_dim)`; uniform if `u` is.
        """
        raise NotImplementedError(f"{type(self).__name__}.from_cube")

    def to_cube(self, x: np.ndarray) -> np.ndarray | None:
        """Coordinates in which a Hilbert curve through a cube is local.

        Args:
            x: NumPy array of shape `(n, ambient_dim)`.

        Returns:
            NumPy array of shape `(n, k)` with values in `[0, 1)`, or `None`
            if the space has no such coordinates.
        """
        return None

    def random_uniform(self, n: int, seed: int | Sequence[int]) -> np.ndarray:
        """Draws points, distributed uniformly in the space's volume.

        The same seed gives the same points on every backend.

        Args:
            n: How many points.
            seed: A non-negative integer, or a sequence of them.

        Returns:
            A float32 NumPy array of shape `(n, ambient_dim)`.
        """
        n = positive_integer("n", n)
        points = self.draw(n, np.random.default_rng(seed))
        return np.asarray(points, "float32")

    def distance(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Distances of all pairs of points.

        Differentiable, with finite gradients everywhere; exactly 0 for equal
        points.

        Args:
            x: Array of shape `(n, ambient_dim)`: points of the space.
            y: Array of shape `(m, ambient_dim)`. Defaults to `x`.

        Returns:
            Tensor of shape `(n, m)`.

        Raises:
            ValueError: If a shape is wrong.

        Example:

        >>> klein_bottle = keras_moduli.spaces.get("klein_bottle")
        >>> float(klein_bottle.distance([[1.0, 1.0]], [[9.0, 9.0]])[0, 0])
        2.0
        """
        x = self._points("x", x)
        y = x if y is None else self._points("y", y)
        return self.pairwise(x, y)

    def belongs(self, x: Tensor, atol: float = 1e-5) -> np.ndarray:
        """Whether points lie on the space, in the standard representation.

        Args:
            x: Array of shape `(n, ambient_dim)`.
            atol: How far off a coordinate may be.

        Returns:
            Boolean NumPy array of shape `(n,)`.
        """
        x = ops.convert_to_numpy(self._points("x", x))
        finite = np.all(np.isfinite(x), axis=-1)
        # Arithmetic with what is not finite would only warn.
        excess = self.excess(np.where(finite[:, None], x, 0.0))
        return finite & (excess <= atol)

    def _points(self, name, x):
        """`x` as a floating-point tensor of the right shape."""
        x = ops.convert_to_tensor(x)
        if not keras.backend.is_float_dtype(
            keras.backend.standardize_dtype(x.dtype)
        ):
            x = ops.cast(x, "float32")
        if len(x.shape) != 2 or x.shape[1] != self.ambient_dim:
            raise ValueError(
                f"`{name}` must have shape (n, {self.ambient_dim}): points "
                f"of {self.name}. Received: {name} of shape {tuple(x.shape)}"
            )
        return x


def _snake_case(name):
    letters = [f"_{c.lower()}" if c.isupper() else c for c in name]
    return "".join(letters).strip("_")
