"""Masks that hold: on a variable, inside the compiled training step.

A mask is a constraint of its variable (`keras.Variable.constraint`), which
Keras optimizers apply right after each update, in the same compiled step. The
layers, their configuration and what is saved stay those of a plain model.
"""

import contextlib
import os
import zipfile
from collections.abc import Mapping

import keras
import numpy as np
from keras import ops

from keras_moduli.files import atomic_path
from keras_moduli.selection import kernels


class MaskConstraint(keras.constraints.Constraint):
    """Keeps pruned weights at zero.

    Args:
        variable: The weight matrix. Its own constraint, if it has one, goes
            on acting on the weights that live.

    Attributes:
        mask: A boolean `keras.Variable`, true where a weight lives. A
            variable, so that a compiled step reads its present value.
        averages: Optimizer variables that average this weight over time and
            are masked along with it.
        owner: A weak reference to the callback that changes the mask, or
            `None`.
    """

    def __init__(self, variable):
        self.inner = variable.constraint
        self.mask = keras.Variable(
            np.ones(variable.shape, bool),
            dtype="bool",
            trainable=False,
            name="mask",
        )
        self.averages = ()
        self.owner = None

    def __call__(self, w):
        for average in self.averages:
            average.assign(self.masked(average))
        if self.inner is None:
            return self.masked(w)
        # Before: so that a norm is that of the weights that live. After: so
        # that whatever the user's constraint does, pruned weights are zero.
        return self.masked(self.inner(self.masked(w)))

    def masked(self, w):
        w, mask = ops.convert_to_tensor(w), ops.convert_to_tensor(self.mask)
        return ops.where(mask, w, ops.cast(0, w.dtype))

    def get_config(self):
        raise NotImplementedError(
            "A mask belongs to a variable, not to a layer's configuration. "
            "Save it with `keras_moduli.save_masks`."
        )


def constrain(model, variables):
    """Gives every variable a `MaskConstraint`, unless it has one.

    Args:
        model: The `keras.Model` they belong to.
        variables: Iterable of `keras.Variable`s.

    Returns:
        The list of the variables' constraints.
    """
    variables = list(variables)
    fresh = [v for v in variables if not is_masked(v)]
    with strategy_scope(model):
        for variable in fresh:
            variable.constraint = MaskConstraint(variable)
    if fresh:
        retrace(model)
    return [v.constraint for v in variables]


def strategy_scope(model):
    """Where variables are made that a strategy mirrors like the weights."""
    strategy = getattr(model, "distribute_strategy", None)
    return strategy.scope() if strategy else contextlib.nullcontext()


def is_masked(variable):
    """Whether a variable has a mask."""
    return isinstance(variable.constraint, MaskConstraint)


def owner_of(variable):
    """The callback that changes a variable's mask, or `None`."""
    if not is_masked(variable) or variable.constraint.owner is None:
        return None
    return variable.constraint.owner()


def retrace(model):
    """Makes the next training step compile anew, if one has been compiled."""
    if getattr(model, "train_function", None) is not None:
        model.make_train_function(force=True)


def set_mask(variable, mask):
    """Changes a constrained variable's mask, and zeroes what it prunes."""
    variable.constraint.mask.assign(mask)
    enforce(variable)


def enforce(variable):
    """Applies a variable's mask to it and to its averages now."""
    variable.assign(variable.constraint(variable))


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


def peek(variable):
    """A variable's present values, where possible without a copy.

    A NumPy array to be read at once: not to be written to, nor to be kept.
    """
    look = _PEEK.get(keras.backend.backend(), ops.convert_to_numpy)
    return look(variable)


def _peek_tensorflow(variable):
    import tensorflow as tf

    tensor = tf.convert_to_tensor(variable.value)
    if tensor.dtype not in (tf.bool, tf.float32, tf.float64):
        return tensor.numpy()  # NumPy itself does not know bfloat16
    return np.asarray(memoryview(tensor))


_PEEK = {"tensorflow": _peek_tensorflow}


def mask_of(variable):
    """The mask attached to a variable, else where it is not zero."""
    if is_masked(variable):
        return variable.constraint.mask.numpy()
    return variable.numpy() != 0


def apply_masks(model: keras.Model, masks: dict[str, np.ndarray]) -> None:
    """Prunes a model by given masks, which hold in all later training.

    Used for lottery tickets: the masks of a pruned model, other weights.

    Args:
        model: A built `keras.Model`.
        masks: A dict from weight path to a boolean array of its shape, as
            `masks_of` returns.

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
        set_mask(found[path], mask)


def remove_masks(model: keras.Model) -> None:
    """Detaches all masks: pruned weights may grow again in later training.

    Args:
        model: A `keras.Model`. Its weights keep their values.

    Example:

    >>> keras_moduli.apply_masks(model, keras_moduli.masks_of(model))
    >>> keras_moduli.remove_masks(model)
    """
    masked = [v for v in model.trainable_variables if is_masked(v)]
    for variable in masked:
        variable.constraint = variable.constraint.inner
    if masked:
        retrace(model)


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
