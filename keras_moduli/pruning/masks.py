"""A model's masks: read, applied, removed, saved and loaded."""

import os
import zipfile
from collections.abc import Mapping

import keras
import numpy as np
from keras import ops

from keras_moduli.models.kernels import kernels
from keras_moduli.pruning.mask_constraint import constrain
from keras_moduli.pruning.mask_constraint import mask_of
from keras_moduli.pruning.mask_constraint import release
from keras_moduli.pruning.mask_constraint import set_mask
from keras_moduli.utils.files import atomic_path


def masks_of(model: keras.Model) -> dict[str, np.ndarray]:
    """The masks of a model's pruned kernels.

    Args:
        model: A built `keras.Model`, pruned in this process or loaded from a
            file.

    Returns:
        A dict from weight path to a boolean NumPy array of the weight's
        shape, true where it lives. Without a mask attached, what is exactly
        zero counts as pruned. Kernels without any pruned weight are left out.

    Example:

    >>> masks = keras_moduli.masks_of(model)
    >>> fresh = keras.models.clone_model(model)
    >>> keras_moduli.apply_masks(fresh, masks)
    """
    masks = {path: mask_of(v) for path, v in kernels(model).items()}
    return {path: mask for path, mask in masks.items() if not mask.all()}


def apply_masks(
    model: keras.Model, masks: dict[str, np.ndarray], rescale: bool = False
) -> None:
    """Prunes a model by given masks, which hold in all later training.

    Used for lottery tickets (the masks of a pruned model, other weights) and
    for models that are sparse from their first step.

    Args:
        model: A built `keras.Model`.
        masks: A dict from weight path to a boolean array of its shape, as
            `masks_of` and `fixed_masks` return.
        rescale: Whether to multiply what is left of the weights into each
            target by the root of the share of its sources that is left,
            inverted. Initial weights are made for all sources, and a mask
            leaves them too small; weights that were trained with the mask are
            right as they are. Defaults to `False`.

    Raises:
        ValueError: If a path, a shape or a type does not fit the model; the
            model is then unchanged.

    Example:

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    >>> mask = np.array([[True, False], [False, True]])
    >>> keras_moduli.apply_masks(model, {"dense/kernel": mask})
    >>> keras_moduli.sparsity(model)
    {'dense/kernel': 0.5}
    """
    if not isinstance(masks, Mapping):
        raise TypeError(
            "`masks` must be a dict from weight path to boolean array, as "
            f"`masks_of` returns. Received: masks of type {_type(masks)}"
        )
    found = kernels(model)
    checked = {
        path: _check_mask(path, mask, found) for path, mask in masks.items()
    }
    constrain(model, [found[path] for path in checked])
    for path, mask in checked.items():
        if rescale:
            scale = ops.cast(_rescaling(mask), found[path].dtype)
            found[path].assign(found[path] * scale)
        set_mask(found[path], mask)


def remove_masks(model: keras.Model) -> None:
    """Detaches all masks: pruned weights may grow again in later training.

    Args:
        model: A `keras.Model`. Its weights keep their values.

    Example:

    >>> keras_moduli.apply_masks(model, keras_moduli.masks_of(model))
    >>> keras_moduli.remove_masks(model)
    """
    release(model)


def save_masks(
    path: str | os.PathLike[str], masks: dict[str, np.ndarray] | keras.Model
) -> None:
    """Writes masks to one `.npz` file, whole or not at all.

    Args:
        path: File name, ending in `.npz`.
        masks: A dict from weight path to boolean array, or a model.

    Example:

    >>> keras_moduli.save_masks("masks.npz", model)
    """
    _check_npz(path)
    if isinstance(masks, keras.Model):
        masks = masks_of(masks)
    if not isinstance(masks, Mapping):
        raise TypeError(
            "`masks` must be a dict from weight path to boolean array, or a "
            f"keras.Model. Received: masks of type {_type(masks)}"
        )
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **masks)


def load_masks(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads what `save_masks` wrote.

    Args:
        path: File name, ending in `.npz`.

    Returns:
        A dict from weight path to boolean array.

    Raises:
        ValueError: If `path` is not a file of masks.
        OSError: If it cannot be read.

    Example:

    >>> keras_moduli.save_masks("masks.npz", {"a/kernel": np.eye(2) > 0})
    >>> keras_moduli.load_masks("masks.npz")["a/kernel"].sum()
    np.int64(2)
    """
    _check_npz(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            "`path` must be a file that `save_masks` wrote; this is another. "
            f"Received: path={str(path)!r}"
        ) from error


def _rescaling(mask):
    """What keeps the variance of the sums into each target, `(targets,)`."""
    share = mask.reshape(-1, mask.shape[-1]).mean(axis=0)
    return np.sqrt(1 / np.where(share > 0, share, 1.0)).astype("float32")


def _check_mask(path, mask, found):
    if path not in found:
        raise ValueError(
            f"`masks` must name kernels of the model, which has {list(found)}. "
            f"Received: {path!r}"
        )
    mask, shape = np.asarray(mask), tuple(found[path].shape)
    if mask.dtype != bool or mask.shape != shape:
        raise ValueError(
            f"The mask of '{path}' must be a boolean array of shape {shape}. "
            f"Received: shape {mask.shape}, dtype {mask.dtype}"
        )
    return mask


def _type(value):
    return f"{type(value).__module__}.{type(value).__name__}"


def _check_npz(path):
    if not str(path).endswith(".npz"):
        raise ValueError(f"`path` must end in '.npz'. Received: path={path!r}")
