"""Moduli spaces: where neurons are placed."""

import re
from typing import Any

import keras

from keras_moduli.spaces.base import ModuliSpace as ModuliSpace
from keras_moduli.spaces.flat import Euclidean as Euclidean
from keras_moduli.spaces.flat import Torus as Torus
from keras_moduli.spaces.glued import HexagonalTorus as HexagonalTorus
from keras_moduli.spaces.glued import KleinBottle as KleinBottle
from keras_moduli.spaces.glued import MoebiusStrip as MoebiusStrip
from keras_moduli.spaces.product import Product as Product
from keras_moduli.spaces.round import ProjectivePlane as ProjectivePlane
from keras_moduli.spaces.round import Sphere as Sphere

_NAMED = {
    "circle": lambda: Sphere(1),
    "sphere": Sphere,
    "torus": Torus,
    "klein_bottle": KleinBottle,
    "projective_plane": ProjectivePlane,
    "moebius_strip": MoebiusStrip,
    "hexagonal_torus": HexagonalTorus,
    "mixed_curvature": lambda: Product(["sphere", "torus"]),
}
_NUMBERED = {
    "sphere": Sphere,
    "torus": Torus,
    "euclidean": Euclidean,
    "box": lambda dim: Euclidean(dim, sampling="box"),
}
NAMES = (*_NAMED, *(f"{name}<n>" for name in _NUMBERED))


def get(identifier: Any) -> ModuliSpace:
    """Returns a space.

    Args:
        identifier: A name (`"torus"`; `"torus6"` and `"sphere3"` give the
            dimension), a `ModuliSpace`, or what `serialize` returned.

    Returns:
        A `ModuliSpace`.

    Raises:
        ValueError: If the name is unknown; the message lists the known ones.
        TypeError: If it is none of these.

    Example:

    >>> keras_moduli.spaces.get("torus6").dim
    6
    """
    if isinstance(identifier, ModuliSpace):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        return _by_name(identifier)
    raise TypeError(
        "`space` must be a name, a ModuliSpace or a serialized one. "
        f"Received: space={identifier!r} (of type {type(identifier).__name__})"
    )


def serialize(space: ModuliSpace) -> dict[str, Any]:
    """A space as plain data, for a config.

    Args:
        space: A `ModuliSpace`.

    Returns:
        A dict of strings, numbers, lists and dicts.

    Example:

    >>> keras_moduli.spaces.serialize(keras_moduli.spaces.Torus())["config"]
    {'dim': 2, 'period': 10.0}
    """
    return keras.saving.serialize_keras_object(space)


def deserialize(
    config: dict[str, Any], custom_objects: dict[str, Any] | None = None
) -> ModuliSpace:
    """The space that `serialize` was given.

    Args:
        config: What `serialize` returned.
        custom_objects: A dict from name to class, for spaces that are not
            registered with Keras.

    Returns:
        A `ModuliSpace`.

    Raises:
        TypeError: If `config` is of something else.

    Example:

    >>> config = keras_moduli.spaces.serialize(keras_moduli.spaces.Torus(6))
    >>> keras_moduli.spaces.deserialize(config)
    Torus(dim=6, period=10.0)
    """
    space = keras.saving.deserialize_keras_object(
        config, custom_objects=custom_objects
    )
    if not isinstance(space, ModuliSpace):
        raise TypeError(
            "The configuration must be of a ModuliSpace. "
            f"Received: config={config!r}"
        )
    return space


def _by_name(name):
    if name in _NAMED:
        return _NAMED[name]()
    numbered = re.fullmatch(r"([a-z_]+?)([1-9]\d*)", name)
    if numbered and numbered[1] in _NUMBERED:
        return _NUMBERED[numbered[1]](int(numbered[2]))
    raise ValueError(
        f"`space` must be one of {', '.join(NAMES)} (<n> is a dimension), a "
        f"ModuliSpace or a serialized one. Received: space={name!r}"
    )
