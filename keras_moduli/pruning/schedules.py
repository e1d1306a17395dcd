"""When to prune, and how far: TF-MOT's schedules, read as functions of a step.

TF-MOT's `PolynomialDecay` and `ConstantSparsity` act only at multiples of
`frequency`; here they also act at `end_step`, so that the final sparsity is
reached whatever the frequency. They are evaluated from their configuration in
plain Python: the same numbers on every Keras backend, and no TensorFlow
operation in a training step. Any other callable `step -> (should_prune,
sparsity)` is called as it is.
"""

import dataclasses


def get(schedule):
    """Reads a pruning schedule.

    Args:
        schedule: A `tfmot.sparsity.keras.PruningSchedule`, the dict that its
            `get_config()` returns (for machines without TF-MOT), or any
            callable `step -> (should_prune, sparsity)`.

    Returns:
        An object with `target(step)`, `next_action(step)`, `final_step` and
        `final_sparsity`.

    Raises:
        TypeError: If `schedule` is none of these.
        ValueError: If its sparsity is outside `[0, 1)` or its steps are not in
            order.
    """
    config = schedule if isinstance(schedule, dict) else _known_config(schedule)
    if config is not None:
        try:
            return _KNOWN[config["class_name"]](**config["config"])
        except (KeyError, TypeError) as error:
            raise ValueError(
                "A schedule's configuration needs 'class_name' (one of "
                f"{sorted(_KNOWN)}) and 'config' with that schedule's "
                f"arguments. Received: schedule={schedule!r}"
            ) from error
    if callable(schedule):
        return CallablePlan(schedule)
    raise TypeError(
        "`schedule` must be a TF-MOT pruning schedule, such as "
        "tfmot.sparsity.keras.PolynomialDecay(0.0, 0.9, begin_step=0, "
        "end_step=2000), its configuration, or a callable "
        "`step -> (should_prune, sparsity)`. "
        f"Received: schedule={schedule!r} (of type {type(schedule).__name__})"
    )


def polynomial_decay(final_sparsity, begin, end, steps, power=3):
    """TF-MOT's `PolynomialDecay` over a fraction of a training.

    Its configuration: to import TF-MOT takes seconds, and TensorFlow.

    Args:
        final_sparsity: Fraction of weights to prune, in `[0, 1)`.
        begin: Where pruning begins, as a fraction of all steps.
        end: Where it ends, likewise.
        steps: How many optimizer steps the whole training has.
        power: How the sparsity rises: 1 is linear; the larger, the earlier.

    Returns:
        What `tfmot.sparsity.keras.PolynomialDecay.get_config()` returns.
    """
    begin_step = round(begin * steps)
    end_step = max(round(end * steps), begin_step + 1)
    config = dict(
        initial_sparsity=0.0,
        final_sparsity=final_sparsity,
        begin_step=begin_step,
        end_step=end_step,
        power=power,
        # TF-MOT's default, unless the ramp is too short for ten such steps.
        frequency=max(1, min(100, (end_step - begin_step) // 10)),
    )
    return {"class_name": "PolynomialDecay", "config": config}


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What TF-MOT's schedules share: a range of steps and a frequency."""

    begin_step: int
    end_step: int
    frequency: int

    def __post_init__(self):
        endless = self.end_step == -1
        if (
            self.begin_step < 0
            or self.frequency < 1
            or not (endless or self.begin_step <= self.end_step)
        ):
            raise ValueError(
                "A schedule needs 0 <= begin_step <= end_step and "
                f"frequency >= 1. Received: begin_step={self.begin_step}, "
                f"end_step={self.end_step}, frequency={self.frequency}"
            )
        for sparsity in self._extremes():
            if not 0.0 <= sparsity < 1.0:
                raise ValueError(
                    "A schedule's sparsity must be in [0, 1). "
                    f"Received: {sparsity}"
                )

    def target(self, step):
        """The sparsity that should hold after `step` optimizer steps.

        Args:
            step: How many steps the optimizer has taken.

        Returns:
            A float in `[0, 1)`, or `None` before the first pruning.
        """
        if step < self.begin_step:
            return None
        if self.end_step != -1 and step >= self.end_step:
            return self.sparsity(self.end_step)
        passed = (step - self.begin_step) // self.frequency
        return self.sparsity(self.begin_step + passed * self.frequency)

    def next_action(self, step):
        """The first step after `step` at which the schedule acts, or `None`."""
        if step < self.begin_step:
            return self.begin_step
        passed = (step - self.begin_step) // self.frequency
        action = self.begin_step + (passed + 1) * self.frequency
        if self.end_step == -1:
            return action
        return min(action, self.end_step) if step < self.end_step else None


@dataclasses.dataclass(frozen=True)
class PolynomialPlan(_Plan):
    """`tfmot.sparsity.keras.PolynomialDecay`."""

    initial_sparsity: float
    final_sparsity: float
    power: float = 3

    def _extremes(self):
        return self.initial_sparsity, self.final_sparsity

    def sparsity(self, step):
        # begin_step == end_step is a single pruning, to the final sparsity.
        length = max(self.end_step - self.begin_step, 1)
        left = (self.end_step - step) / length
        change = self.initial_sparsity - self.final_sparsity
        return self.final_sparsity + change * min(max(left, 0.0), 1.0) ** (
            self.power
        )

    @property
    def final_step(self):
        return self.end_step


@dataclasses.dataclass(frozen=True)
class ConstantPlan(_Plan):
    """`tfmot.sparsity.keras.ConstantSparsity`."""

    target_sparsity: float

    def _extremes(self):
        return (self.target_sparsity,)

    def sparsity(self, step):
        del step
        return self.target_sparsity

    @property
    def final_sparsity(self):
        return self.target_sparsity

    @property
    def final_step(self):
        return self.begin_step


class CallablePlan:
    """Any callable `step -> (should_prune, sparsity)`.

    It must be asked step by step, and says nothing of where it ends.
    """

    final_sparsity = None
    final_step = None

    def __init__(self, schedule):
        self._schedule = schedule
        self._asked = -1
        self._target = None

    def target(self, step):
        if step < self._asked:
            self._asked, self._target = -1, None
        for past in range(self._asked + 1, step + 1):
            should_prune, sparsity = self._schedule(past)
            if should_prune:
                self._target = float(sparsity)
                if not 0.0 <= self._target < 1.0:
                    raise ValueError(
                        "A schedule's sparsity must be in [0, 1). Received: "
                        f"{self._target} at step {past}"
                    )
        self._asked = step
        return self._target

    def next_action(self, step):
        return step + 1


_KNOWN = {"PolynomialDecay": PolynomialPlan, "ConstantSparsity": ConstantPlan}


def _known_config(schedule):
    """The configuration of one of TF-MOT's own schedules, else `None`.

    A subclass may compute something else, so only the classes themselves
    count.
    """
    cls = type(schedule)
    if cls.__name__ in _KNOWN and cls.__module__.startswith(
        "tensorflow_model_optimization."
    ):
        return schedule.get_config()
    return None
