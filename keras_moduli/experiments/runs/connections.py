"""The setting `connections`: pruned in training, or fixed from the start."""

import re

from keras_moduli.layers.connections import KINDS
from keras_moduli.layers.connections import chosen_group_size
from keras_moduli.layers.connections import source_count
from keras_moduli.layers.conversion import to_sparse
from keras_moduli.layers.given_connections import group_sizes
from keras_moduli.models.kernels import is_recurrent
from keras_moduli.models.kernels import kernels
from keras_moduli.models.kernels import rule
from keras_moduli.pruning.fixed_masks import fixed_masks
from keras_moduli.pruning.masks import apply_masks
from keras_moduli.regularizers.moduli_regularizer import ModuliRegularizer

PRUNED = "pruned"
_NAMES = (PRUNED, "near+random:SHARE", *KINDS)
_NEAR_SHARE = r"near\+random:(\d*\.?\d+|\d+\.)"
# Kinds that measure no distance.
WITHOUT_SPACE = ("own+random", "own", "random")


def parse(connections):
    """The kind and the near share that a setting names.

    Raises:
        ValueError: If it names none.
    """
    found = re.fullmatch(_NEAR_SHARE, str(connections))
    if found and float(found[1]) <= 1:
        return "near+random", float(found[1])
    if connections in (PRUNED, *KINDS):
        return connections, 0.5
    raise ValueError(
        f"`connections` must be one of {', '.join(_NAMES)}, with a share "
        f"from 0 to 1. Received: connections={connections!r}"
    )


def suiting_group_size(connections, units, sparsity):
    """The largest group that suits so many units, up to 64; 1 if none does."""
    kind = KINDS.get(parse(connections)[0], KINDS["near"])
    if type(units) is not int or units < 1 or not 0 < sparsity < 1:
        return 1  # which is an error, but not of the groups
    wanted = source_count(units, 1 - sparsity)
    size = chosen_group_size(units, None, wanted, kind)
    return 1 if kind.reads_itself and size > wanted else size


def geometry(settings):
    """What says which connections are near, a `ModuliRegularizer` or `None`.

    Of connections that are pruned it is the one that penalises them, of fixed
    ones that measure distances it has the points these were measured between.
    """
    if not settings.fixed:
        return settings.regularizer()
    if parse(settings.connections)[0] in WITHOUT_SPACE:
        return None
    return ModuliRegularizer(
        settings.space, settings.inhibitor, seed=settings.seed, points="ordered"
    )


def without_recurrent(weights):
    """What else `weights` prunes where recurrent kernels are fixed."""
    if weights == "recurrent":
        return None
    chosen = rule(weights)
    return lambda path, v: chosen(path, v) and not is_recurrent(path, v)


def connect(model, settings):
    """A model whose recurrent kernels have the connections of the settings.

    Args:
        model: A fresh, compiled model of the task.
        settings: `Settings` with fixed `connections`.

    Returns:
        The model with masks, or, where groups are large enough for them, one
        with sparse layers.
    """
    masks = _masks(model, settings)
    apply_masks(model, masks, rescale=True)
    if settings.group_size < min(map(_smallest_group, masks.values())):
        return model
    return to_sparse(model, masks)


def hold(model, settings):
    """Applies the masks again to a model of `connect` that was loaded."""
    if not _has_sparse_layers(model):
        apply_masks(model, _masks(model, settings))


def _masks(model, settings):
    kind, share = parse(settings.connections)
    return fixed_masks(
        model,
        1 - settings.sparsity,
        kind,
        group_size=settings.group_size,
        space=settings.space,
        inhibitor=settings.inhibitor,
        near_share=share,
        seed=settings.seed,
    )


def _has_sparse_layers(model):
    """Whether recurrent kernels have the axis of groups."""
    return any(
        len(variable.shape) == 3
        for path, variable in kernels(model).items()
        if is_recurrent(path, variable)
    )


def _smallest_group(mask):
    """The smallest group that sparse layers have."""
    return group_sizes(mask.shape[0])[0]
