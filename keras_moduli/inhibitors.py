"""Inhibitors: from the distance of two neurons to the penalty of their weight.

Every penalty is at least 0 by construction: functions that are "inverted" are
subtracted from their analytic maximum, never from the largest sampled value.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_moduli.arguments import not_negative
from keras_moduli.arguments import positive
from keras_moduli.configured import Configured
from keras_moduli.typing import Tensor


class Inhibitor(Configured):
    """A function from distances to penalties.

    Any callable that takes a tensor of distances and returns a tensor of the
    same shape can stand in its place; register it with
    `keras.saving.register_keras_serializable` to save models that use it.

    Example:

    ```python
    @keras.saving.register_keras_serializable(package="mine")
    def far(distance):
        return keras.ops.cast(distance > 3.0, distance.dtype)

    keras_moduli.ModuliRegularizer("torus", far)
    ```
    """

    def __call__(self, distance: Tensor) -> Tensor:
        """The penalties.

        Args:
            distance: Tensor of any shape, in the units of the space.

        Returns:
            Tensor of the same shape and dtype, with entries >= 0.
        """
        raise NotImplementedError(f"{type(self).__name__}.__call__")


@keras.saving.register_keras_serializable(package="keras_moduli")
class DifferenceOfGaussians(Inhibitor):
    """Penalises near and far pairs and spares a ring between them.

    `max(g) - g(d)` with
    `g(d) = amplitude * (exp(-d^2 / wide) - exp(-d^2 / narrow))`, the defaults
    being those of [arXiv:2406.06290](https://arxiv.org/abs/2406.06290). The
    maximum of `g` lies at
    `d^2 = log(wide / narrow) / (1 / narrow - 1 / wide)`.

    Args:
        amplitude: Height of each Gaussian. Defaults to `100.0`.
        wide: Square of the outer Gaussian's width. Defaults to `5.0`.
        narrow: Square of the inner Gaussian's width, below `wide`. Defaults
            to `0.25`.
        inverted: Whether to subtract from the maximum; otherwise the penalty
            is `g` itself, and the ring is what is penalised. Defaults to
            `True`.

    Example:

    >>> distance, value = keras_moduli.inhibitors.DifferenceOfGaussians().peak
    >>> round(distance, 3), round(value, 2)
    (0.888, 81.14)
    """

    def __init__(
        self,
        amplitude: float = 100.0,
        wide: float = 5.0,
        narrow: float = 0.25,
        inverted: bool = True,
    ) -> None:
        self.amplitude = positive("amplitude", amplitude)
        self.wide = positive("wide", wide)
        self.narrow = positive("narrow", narrow)
        self.inverted = bool(inverted)
        if self.narrow >= self.wide:
            raise ValueError(
                "`narrow` must be below `wide`. Received: "
                f"narrow={narrow}, wide={wide}"
            )

    @property
    def peak(self) -> tuple[float, float]:
        """Where `g` is largest, and that largest value."""
        square = math.log(self.wide / self.narrow) / (
            1 / self.narrow - 1 / self.wide
        )
        return math.sqrt(square), self.amplitude * (
            math.exp(-square / self.wide) - math.exp(-square / self.narrow)
        )

    def __call__(self, distance: Tensor) -> Tensor:
        square = ops.square(distance)
        g = self.amplitude * (
            ops.exp(-square / self.wide) - ops.exp(-square / self.narrow)
        )
        # Rounding may take either a hair below 0.
        return ops.maximum(self.peak[1] - g if self.inverted else g, 0.0)

    def get_config(self) -> dict[str, Any]:
        return {
            "amplitude": self.amplitude,
            "wide": self.wide,
            "narrow": self.narrow,
            "inverted": self.inverted,
        }


@keras.saving.register_keras_serializable(package="keras_moduli")
class Diffusion(Inhibitor):
    """The square of the distance: the further, the more penalised.

    Example:

    >>> float(keras_moduli.inhibitors.Diffusion()(np.array(3.0)))
    9.0
    """

    def __call__(self, distance: Tensor) -> Tensor:
        return ops.square(distance)


@keras.saving.register_keras_serializable(package="keras_moduli")
class Identity(Inhibitor):
    """The distance itself.

    Example:

    >>> float(keras_moduli.inhibitors.Identity()(np.array(3.0)))
    3.0
    """

    def __call__(self, distance: Tensor) -> Tensor:
        return distance


@keras.saving.register_keras_serializable(package="keras_moduli")
class Ripple(Inhibitor):
    """A sinusoid of the distance: `(amplitude / 2) * (1 + cos(2 * d))`.

    Args:
        amplitude: The largest penalty. Defaults to `100.0`.
        frequency: Angular frequency. Defaults to `2.0`, a ring every pi.

    Example:

    >>> ripple = keras_moduli.inhibitors.Ripple(amplitude=10.0)
    >>> [round(float(p), 3) for p in ripple(np.array([0.0, np.pi / 2, np.pi]))]
    [10.0, 0.0, 10.0]
    """

    def __init__(
        self, amplitude: float = 100.0, frequency: float = 2.0
    ) -> None:
        self.amplitude = positive("amplitude", amplitude)
        self.frequency = positive("frequency", frequency)

    def __call__(self, distance: Tensor) -> Tensor:
        return self.amplitude / 2 * (1.0 + ops.cos(self.frequency * distance))

    def get_config(self) -> dict[str, Any]:
        return {"amplitude": self.amplitude, "frequency": self.frequency}


@keras.saving.register_keras_serializable(package="keras_moduli")
class Gaussian(Inhibitor):
    """Penalises near pairs: `amplitude * exp(-d^2 / width)`.

    Args:
        amplitude: The largest penalty. Defaults to `100.0`.
        width: Square of the Gaussian's width. Defaults to `3.0`.
        inverted: Whether to penalise far pairs instead:
            `amplitude * (1 - exp(-d^2 / width))`. Defaults to `False`.

    Example:

    >>> gaussian = keras_moduli.inhibitors.Gaussian(width=1.0)
    >>> [round(float(p), 1) for p in gaussian(np.array([0.0, 1.0, 2.0]))]
    [100.0, 36.8, 1.8]
    """

    def __init__(
        self,
        amplitude: float = 100.0,
        width: float = 3.0,
        inverted: bool = False,
    ) -> None:
        self.amplitude = positive("amplitude", amplitude)
        self.width = positive("width", width)
        self.inverted = bool(inverted)

    def __call__(self, distance: Tensor) -> Tensor:
        exponent = -ops.square(distance) / self.width
        return self.amplitude * (
            -ops.expm1(exponent) if self.inverted else ops.exp(exponent)
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "amplitude": self.amplitude,
            "width": self.width,
            "inverted": self.inverted,
        }


@keras.saving.register_keras_serializable(package="keras_moduli")
class Constant(Inhibitor):
    """The same penalty for every pair: plain L1 or L2.

    Args:
        value: The penalty, at least 0. Defaults to `1.0`.

    Example:

    >>> regularizer = keras_moduli.ModuliRegularizer(
    ...     "torus", keras_moduli.inhibitors.Constant(2.0), factor=1.0
    ... )
    >>> float(regularizer(np.ones((4, 4), "float32")))
    2.0
    """

    def __init__(self, value: float = 1.0) -> None:
        self.value = not_negative("value", value)

    def __call__(self, distance: Tensor) -> Tensor:
        return ops.full_like(distance, self.value)

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value}


_NAMED: dict[str, Callable[[], Inhibitor]] = {
    "difference_of_gaussians": DifferenceOfGaussians,
    "diffusion": Diffusion,
    "ripple": Ripple,
    "gaussian": Gaussian,
    "inverted_gaussian": lambda: Gaussian(inverted=True),
    "identity": Identity,
    "constant": Constant,
}
NAMES = tuple(_NAMED)


def get(identifier: Any) -> Callable[[Tensor], Tensor]:
    """Returns an inhibitor.

    Args:
        identifier: A name, a callable, or what `serialize` returned.

    Returns:
        A callable from distances to penalties.

    Raises:
        ValueError: If the name is unknown; the message lists the known ones.
        TypeError: If it is none of these.

    Example:

    >>> keras_moduli.inhibitors.get("gaussian")
    Gaussian(amplitude=100.0, width=3.0, inverted=False)
    """
    if isinstance(identifier, str):
        if identifier not in _NAMED:
            raise ValueError(
                f"`inhibitor` must be one of {', '.join(NAMES)}, a callable "
                "or a serialized inhibitor. "
                f"Received: inhibitor={identifier!r}"
            )
        return _NAMED[identifier]()
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if callable(identifier):
        return identifier
    raise TypeError(
        "`inhibitor` must be a name, a callable or a serialized inhibitor. "
        f"Received: inhibitor={identifier!r} "
        f"(of type {type(identifier).__name__})"
    )


def serialize(inhibitor: Callable[[Tensor], Tensor]) -> dict[str, Any]:
    """An inhibitor as plain data, for a config.

    Args:
        inhibitor: An `Inhibitor`, or a callable that is registered with
            Keras.

    Returns:
        A dict of strings, numbers, lists and dicts.

    Example:

    >>> constant = keras_moduli.inhibitors.Constant(2.0)
    >>> keras_moduli.inhibitors.serialize(constant)["config"]
    {'value': 2.0}
    """
    return keras.saving.serialize_keras_object(inhibitor)


def deserialize(
    config: dict[str, Any], custom_objects: dict[str, Any] | None = None
) -> Callable[[Tensor], Tensor]:
    """The inhibitor that `serialize` was given.

    Args:
        config: What `serialize` returned.
        custom_objects: A dict from name to object, for inhibitors that are
            not registered with Keras.

    Returns:
        A callable from distances to penalties.

    Example:

    >>> config = keras_moduli.inhibitors.serialize(
    ...     keras_moduli.inhibitors.Ripple()
    ... )
    >>> keras_moduli.inhibitors.deserialize(config)
    Ripple(amplitude=100.0, frequency=2.0)
    """
    return keras.saving.deserialize_keras_object(
        config, custom_objects=custom_objects
    )
