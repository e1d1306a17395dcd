"""Runs that differ in nothing but their seed: one row of a table."""

import dataclasses
import statistics

from keras_moduli.experiments.runs.connections import WITHOUT_SPACE
from keras_moduli.experiments.runs.grouping import GROUPINGS
from keras_moduli.experiments.runs.settings import DENSE_TWIN
from keras_moduli.experiments.runs.settings import NO_REGULARIZER
from keras_moduli.experiments.runs.settings import Settings


@dataclasses.dataclass
class Row:
    """The runs that differ in nothing but their seed.

    Attributes:
        settings: The `Settings` they share, with seed 0.
        runs: The finished ones, a list of `Run`.
        failed: How many failed.
        unfinished: How many are not finished yet.
    """

    settings: Settings
    runs: list
    failed: int = 0
    unfinished: int = 0

    @property
    def values(self):
        """The metric of every finished run, on the test data."""
        return [run.metrics()["test"][self._metric] for run in self.runs]

    @property
    def by_seed(self):
        """The metric of every finished run on the test data, by seed."""
        seeds = [run.settings.seed for run in self.runs]
        return dict(zip(seeds, self.values, strict=True))

    @property
    def validation(self):
        """The metric of every finished run, on the validation data."""
        return [run.metrics()[self._metric] for run in self.runs]

    @property
    def seeds(self):
        """How many runs there are, finished or not."""
        return len(self.runs) + self.failed + self.unfinished

    @property
    def tickets(self):
        """The metric of every lottery ticket, on the test data."""
        return [
            run.ticket.metrics()["test"][self._metric]
            for run in self.runs
            if run.ticket
        ]

    @property
    def at_chance(self):
        """How many finished runs are no better than the trivial answer."""
        found = [run.metrics() for run in self.runs]
        return sum(m["test"][self._metric] >= m["trivial"] for m in found)

    @property
    def matrices(self):
        """The mean sparsity of every matrix, a dict by path."""
        found = [run.metrics()["sparsity"] for run in self.runs]
        return {
            path: statistics.mean(each[path] for each in found)
            for path in (found[0] if found else ())
        }

    @property
    def label(self):
        """What to call it."""
        name = self._without_groups
        if self.settings.whole_units:
            name += ", whole units"
        if self.settings.group_size > 1:
            word = GROUPINGS[self.settings.pattern].word
            name += f", {word} of {self.settings.group_size}"
        if self.settings.blocks:
            name += ", blocks of {} x {}".format(*self.settings.blocks)
        return name

    @property
    def _without_groups(self):
        settings = self.settings
        if settings.control in (NO_REGULARIZER, DENSE_TWIN, "l1", "l2"):
            return settings.control  # no space has a part in these
        name = f"{settings.space}, {settings.inhibitor}"
        if settings.fixed:
            near = settings.connections not in WITHOUT_SPACE
            return f"{settings.connections}{f' on {name}' if near else ''}"
        if settings.scale != 1.0:
            name += f", scale {settings.scale:g}"
        if settings.trainable:
            name = f"trained {name}"
        return f"{settings.control} of {name}" if settings.control else name

    @property
    def _metric(self):
        return self.settings.make_task().metric
