"""Inhibitors by name, and as plain data."""

from collections.abc import Callable
from typing import Any

import keras

from keras_moduli.inhibitors.base import Inhibitor
from keras_moduli.inhibitors.constant import Constant
from keras_moduli.inhibitors.difference_of_gaussians import (
    DifferenceOfGaussians,
)
from keras_moduli.inhibitors.diffusion import Diffusion
from keras_moduli.inhibitors.gaussian import Gaussian
from keras_moduli.inhibitors.identity import Identity
from keras_moduli.inhibitors.ripple import Ripple
from keras_moduli.utils.typing import Tensor

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
