"""Everything the outcome of a run depends on, as one JSON-able object."""

import dataclasses
import math

from keras_moduli.experiments.runs.connections import PRUNED
from keras_moduli.experiments.runs.connections import WITHOUT_SPACE
from keras_moduli.experiments.runs.connections import parse
from keras_moduli.experiments.runs.connections import suiting_group_size
from keras_moduli.experiments.runs.connections import without_recurrent
from keras_moduli.experiments.runs.grouping import SHARED_SOURCES
from keras_moduli.experiments.runs.pruned_groups import pruned_groups
from keras_moduli.experiments.runs.values import OF_WEIGHTS
from keras_moduli.experiments.runs.values import check_given
from keras_moduli.experiments.runs.values import check_values
from keras_moduli.experiments.runs.values import unused_where_fixed
from keras_moduli.pruning.magnitude_pruning import MagnitudePruning
from keras_moduli.pruning.schedules import polynomial_decay
from keras_moduli.regularizers.embedding_learning_rate import (
    EmbeddingLearningRate,
)
from keras_moduli.regularizers.moduli_regularizer import ModuliRegularizer
from keras_moduli.tasks import TASKS

# The controls that are no ModuliRegularizer's.
NO_REGULARIZER = "none"
DENSE_TWIN = "dense_twin"
_OF_PRUNING = ("pruning_begin", "pruning_end", "pruning_power")


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of one training.

    Args:
        task: A name in `keras_moduli.tasks.TASKS`.
        task_settings: The task's own settings, a dict.
        steps: Optimizer steps, divided evenly over the epochs (rounded up).
        epochs: Epochs; each ends with a checkpoint.
        space: The moduli space of the recurrent regularizer.
        inhibitor: Its inhibitor.
        factor: Its factor.
        control: `None` for the regularizer itself, `"none"` for training
            without one, `"dense_twin"` for a dense model of as many weights
            as are left of the sparse one, or a control of
            `ModuliRegularizer`.
        scale: Width of the inhibitor relative to the space.
        points: `"uniform"` or `"ordered"`: how neurons are placed.
        trainable: Whether the points are trained too: ever slower, and not at
            all in the stabiliser epochs; see `EmbeddingLearningRate`.
        sparsity: Fraction of the pruned weights that are zero in the end; 0
            for no pruning.
        weights: Which weights are pruned: `"recurrent"`, `"kernels"` or a
            regular expression on their paths.
        ranking: `"global"`, `"local"` or `"erk"`; see `PruningGroup`.
        block_size: Sources and targets of the blocks that are pruned as a
            whole; `(1, 1)` prunes each weight for itself.
        pruning_begin: When pruning begins, as a fraction of the steps.
        pruning_end: When the final sparsity is reached; the rest of the
            training, its stabiliser epochs, is for recovery.
        pruning_power: How the sparsity rises in between: 1 is linear; the
            larger, the earlier.
        lottery: Whether to train once more afterwards, from other weights,
            with the final masks held from the start.
        seed: Of the weights, the embedding and the order of the data.
        connections: How recurrent kernels get theirs: `"pruned"`, in
            training, or from the first step, without a regularizer, one of
            those of `keras_moduli.fixed_masks`; `"near+random:0.25"` has a
            quarter of the sources near. Other kernels are pruned as always.
        group_size: How many consecutive targets of recurrent kernels share
            their sources.
        pattern: Which sources these are where they are pruned, a name in
            `grouping.GROUPINGS`.
        whole_units: Whether hidden units are pruned as wholes, down to a
            dense model of that share of them, which is what is kept.

    Raises:
        ValueError: If a value is not allowed.
    """

    task: str
    task_settings: dict = dataclasses.field(default_factory=dict)
    steps: int = 1200
    epochs: int = 12
    space: str = "torus"
    inhibitor: str = "difference_of_gaussians"
    factor: float = 0.03
    control: str | None = None
    scale: float = 1.0
    points: str = "uniform"
    trainable: bool = False
    sparsity: float = 0.9
    weights: str = "recurrent"
    ranking: str = "global"
    block_size: tuple = (1, 1)
    pruning_begin: float = 0.1
    pruning_end: float = 0.6
    pruning_power: int = 3
    lottery: bool = False
    seed: int = 0
    connections: str = PRUNED
    group_size: int = 1
    pattern: str = SHARED_SOURCES
    whole_units: bool = False

    def __post_init__(self):
        check_values(self)
        # These raise on names and numbers that are not allowed.
        self.make_task()
        ModuliRegularizer(self.space, self.inhibitor)
        self.regularizer()
        self.pruning()

    @property
    def fixed(self):
        """Whether the recurrent connections are there from the start."""
        return self.connections != PRUNED

    @property
    def blocks(self):
        """The size of the blocks that are pruned, `None` for single weights."""
        size = self.effective().block_size
        pruned = self.sparsity > 0.0 and self.control != DENSE_TWIN
        return size if pruned and math.prod(size) > 1 else None

    @classmethod
    def of(cls, task, given, preset="small"):
        """The settings of a task that has some settings given.

        Args:
            task: A name in `keras_moduli.tasks.TASKS`.
            given: A dict from a setting's name, of the run or of the task, to
                its value; all others are the preset's.
            preset: The name of one of the task's `presets`.

        Raises:
            ValueError: If a name or a value is not allowed.
        """
        presets = TASKS[task].presets if task in TASKS else {}
        if task in TASKS and preset not in presets:
            raise ValueError(
                f"`preset` of the task '{task}' must be one of "
                f"{sorted(presets)}. Received: preset={preset!r}"
            )
        whole = {**presets.get(preset, {}), **given}
        if {"control", "whole_units"} & set(given) and (
            "connections" not in given
        ):
            whole["connections"] = PRUNED  # only these have such
        check_given(given, whole)
        if "epochs" not in given and "steps" in given:
            # Short trials have fewer epochs.
            epochs = whole.get("epochs", cls.epochs)
            whole["epochs"] = max(1, min(epochs, given["steps"]))
        run = {field.name for field in dataclasses.fields(cls)}
        own = {name: value for name, value in whole.items() if name not in run}
        rest = {name: value for name, value in whole.items() if name in run}
        if rest.get("group_size", cls.group_size) is None:
            rest["group_size"] = suiting_group_size(
                rest["connections"],
                own.get("units", TASKS[task].units),
                rest.get("sparsity", cls.sparsity),
            )
        if rest.get("steps", cls.steps) is not None:
            return cls(task=task, task_settings=own, **rest)
        # The preset wants one pass through the data in each epoch.
        settings = cls(
            task=task, task_settings=own, **{**rest, "steps": rest["epochs"]}
        )
        passed = settings.make_task().pass_steps
        return dataclasses.replace(settings, steps=settings.epochs * passed)

    @property
    def steps_per_epoch(self):
        return math.ceil(self.steps / self.epochs)

    @property
    def total_steps(self):
        """The optimizer steps that are really taken."""
        return self.steps_per_epoch * self.epochs

    def dense(self):
        """The same run without regularizer and pruning."""
        return self._plain(control=NO_REGULARIZER, sparsity=0.0)

    def twin(self, learning_rate):
        """The run of the dense model of as many weights."""
        own = {**self.task_settings, "learning_rate": learning_rate}
        return self._plain(control=DENSE_TWIN, task_settings=own).effective()

    def _plain(self, **changes):
        """The same run without what only sparse models have, and changes."""
        return dataclasses.replace(
            self,
            trainable=False,
            connections=PRUNED,
            lottery=False,
            whole_units=False,
            **changes,
        )

    def effective(self):
        """The same run with the defaults for what has no effect on it."""
        unused = [] if self.group_size > 1 else ["pattern"]
        if self.whole_units:
            unused += OF_WEIGHTS
        if self.group_size > 1 and without_recurrent(self.weights) is None:
            unused += ["block_size"]
        if self.fixed:
            unused += unused_where_fixed(self.to_dict())
            if parse(self.connections)[0] in WITHOUT_SPACE:
                unused += ["space", "inhibitor"]
        if self.control in (NO_REGULARIZER, DENSE_TWIN):
            unused += ["space", "inhibitor", "factor", "scale", "points"]
        if self.control == DENSE_TWIN:
            unused += ["ranking", "block_size", "group_size", "pattern"]
            unused += _OF_PRUNING
        defaults = {name: getattr(Settings, name) for name in unused}
        return dataclasses.replace(self, **defaults)

    def make_task(self):
        return TASKS[self.task](**self.task_settings)

    def regularizer(self):
        """The recurrent regularizer, or `None`."""
        if self.fixed or self.control in (NO_REGULARIZER, DENSE_TWIN):
            return None
        return ModuliRegularizer(
            self.space,
            self.inhibitor,
            factor=self.factor,
            seed=self.seed,
            scale=self.scale,
            points=self.points,
            control=self.control,
            trainable=self.trainable,
        )

    @property
    def stabilisers(self):
        """The epochs that begin after the final sparsity was reached."""
        return math.floor(self.epochs * (1 - self.pruning_end) + 1e-9)

    def embedding_rate(self):
        """The callback that slows trained points down, or `None`."""
        if not self.trainable:
            return None
        return EmbeddingLearningRate(frozen_epochs=self.stabilisers)

    def schedule(self):
        """The pruning schedule, or `None`."""
        if self.sparsity == 0.0 or self.control == DENSE_TWIN:
            return None
        return polynomial_decay(
            self.sparsity,
            self.pruning_begin,
            self.pruning_end,
            self.total_steps,
            self.pruning_power,
        )

    def pruning(self):
        """The pruning callback, or `None`."""
        groups = pruned_groups(self) if self.schedule() else []
        return MagnitudePruning(groups=groups) if groups else None

    def to_dict(self):
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, config):
        """The settings that `to_dict` gave, also after a way through JSON.

        Raises:
            ValueError: If they are something else.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        # Settings that later versions added have their defaults in old files.
        later = {"connections", "group_size", "pattern", "whole_units"}
        if not isinstance(config, dict) or not (
            known - later <= set(config) <= known
        ):
            raise ValueError(
                f"Settings of a run are a dict of {sorted(known)}. "
                f"Received: {config!r}"
            )
        task_settings = _tuples(config["task_settings"])
        return cls(**_tuples({**config, "task_settings": task_settings}))


def _tuples(config):
    """JSON turns tuples into lists; this turns them back."""
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in config.items()
    }
