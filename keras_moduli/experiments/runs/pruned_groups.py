"""What is pruned in training, and in what shape."""

from keras_moduli.experiments.runs.connections import without_recurrent
from keras_moduli.experiments.runs.grouping import GROUPINGS
from keras_moduli.patterns import HiddenUnits
from keras_moduli.pruning.group import PruningGroup


def pruned_groups(settings):
    """The groups of weights that the settings prune.

    Args:
        settings: `Settings` with a `schedule`.

    Returns:
        A list of `PruningGroup`s; empty if all of it is fixed from the start.
    """
    every = dict(schedule=settings.schedule(), ranking=settings.ranking)
    if settings.whole_units:
        return [PruningGroup(pattern=HiddenUnits(), **every)]
    blocks = dict(weights=settings.weights, block_size=settings.block_size)
    groups = []
    if settings.fixed or settings.group_size > 1:  # recurrent ones are apart
        blocks["weights"] = without_recurrent(settings.weights)
    if settings.group_size > 1 and not settings.fixed:
        pattern = GROUPINGS[settings.pattern].make(settings.group_size)
        groups.append(PruningGroup(pattern=pattern, **every))
    if blocks["weights"] is not None:
        groups.append(PruningGroup(**blocks, **every))
    return groups
