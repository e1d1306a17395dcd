"""Everything the outcome of a run depends on, as one JSON-able object."""

import dataclasses
import math

from keras_moduli.pruning.bound_group import BoundGroup
from keras_moduli.pruning.magnitude_pruning import MagnitudePruning
from keras_moduli.pruning.schedules import polynomial_decay
from keras_moduli.regularizers.embedding_learning_rate import (
    EmbeddingLearningRate,
)
from keras_moduli.regularizers.moduli_regularizer import ModuliRegularizer
from keras_moduli.tasks import TASKS
from keras_moduli.utils.argument_validation import positive_integer

NO_REGULARIZER = "none"  # the control that is no ModuliRegularizer's


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
            without one, or a control of `ModuliRegularizer`.
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

    def __post_init__(self):
        if self.task not in TASKS:
            raise ValueError(
                f"`task` must be one of {sorted(TASKS)}. "
                f"Received: task={self.task!r}"
            )
        known = [field.name for field in dataclasses.fields(TASKS[self.task])]
        for name in self.task_settings:
            if name not in known:
                raise ValueError(
                    f"The task '{self.task}' has the settings {known}. "
                    f"Received: {name}={self.task_settings[name]!r}"
                )
        for name, least in (("steps", 1), ("epochs", 1), ("seed", 0)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise ValueError(
                    f"`{name}` must be an integer of at least {least}. "
                    f"Received: {name}={value!r}"
                )
        if self.epochs > self.steps:
            raise ValueError(
                "`epochs` must be at most `steps`. Received: "
                f"epochs={self.epochs}, steps={self.steps}"
            )
        if not 0.0 <= self.sparsity < 1.0:
            raise ValueError(
                "`sparsity` must be in [0, 1). "
                f"Received: sparsity={self.sparsity}"
            )
        if not 0.0 <= self.pruning_begin < self.pruning_end <= 1.0:
            raise ValueError(
                "`pruning_begin` and `pruning_end` must be fractions of the "
                "steps, the first being less. Received: pruning_begin="
                f"{self.pruning_begin}, pruning_end={self.pruning_end}"
            )
        positive_integer("pruning_power", self.pruning_power)
        # These raise on names and numbers that are not allowed.
        self.make_task()
        self._check_points()
        self.regularizer()
        self.pruning()

    def _check_points(self):
        if self.trainable and self.control is not None:
            raise ValueError(
                "`trainable` moves the points of the regularizer, and a "
                "control has none. "
                f"Received: trainable=True, control={self.control!r}"
            )

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
        if "epochs" not in given and "steps" in given:
            # Short trials have fewer epochs.
            epochs = whole.get("epochs", cls.epochs)
            whole["epochs"] = max(1, min(epochs, given["steps"]))
        run = {field.name for field in dataclasses.fields(cls)}
        own = {name: value for name, value in whole.items() if name not in run}
        rest = {name: value for name, value in whole.items() if name in run}
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
        return dataclasses.replace(
            self, control=NO_REGULARIZER, sparsity=0.0, trainable=False
        )

    def effective(self):
        """The same run with the defaults for what has no effect on it."""
        if self.control != NO_REGULARIZER:
            return self
        unused = ("space", "inhibitor", "factor", "scale", "points")
        defaults = {name: getattr(Settings, name) for name in unused}
        return dataclasses.replace(self, **defaults)

    def make_task(self):
        return TASKS[self.task](**self.task_settings)

    def regularizer(self):
        """The recurrent regularizer, or `None`."""
        if self.control == NO_REGULARIZER:
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
        if self.sparsity == 0.0:
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
        schedule = self.schedule()
        if schedule is None:
            return None
        return MagnitudePruning(
            schedule,
            weights=self.weights,
            ranking=self.ranking,
            block_size=self.block_size,
        )

    def check(self, task):
        """Builds everything once, so that bad input fails before training.

        Args:
            task: What `make_task()` gave.

        Raises:
            ValueError: If the data cannot be read, the model is too large,
                nothing is to be pruned, or blocks do not divide the weights.
        """
        try:
            model = task.model(self.total_steps, self.regularizer())
        except Exception as error:
            if not _is_about_memory(error):
                raise
            raise ValueError(
                "The model is too large for the memory of this machine. "
                f"Received: {task}"
            ) from error
        pruning = self.pruning()
        for group in pruning.groups if pruning else ():
            BoundGroup(group, model)

    def to_dict(self):
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, config):
        """The settings that `to_dict` gave, also after a way through JSON.

        Raises:
            ValueError: If they are something else.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(config, dict) or set(config) != known:
            raise ValueError(
                f"Settings of a run are a dict of {sorted(known)}. "
                f"Received: {config!r}"
            )
        task_settings = _tuples(config["task_settings"])
        return cls(**_tuples({**config, "task_settings": task_settings}))


def _is_about_memory(error):
    # Every backend has an exception of its own, and these words in common.
    return isinstance(error, MemoryError) or any(
        word in str(error)
        for word in ("OOM", "RESOURCE_EXHAUSTED", "out of memory")
    )


def _tuples(config):
    """JSON turns tuples into lists; this turns them back."""
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in config.items()
    }
