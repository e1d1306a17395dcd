"""Many runs of one task, each in a folder of its own, in any number of goes."""

import itertools
import time
from pathlib import Path

from rich import progress

from keras_moduli.experiments.runs import folders
from keras_moduli.experiments.runs.connections import PRUNED
from keras_moduli.experiments.runs.deadline import PAUSED
from keras_moduli.experiments.runs.deadline import OutOfTime
from keras_moduli.experiments.runs.models import check
from keras_moduli.experiments.runs.settings import DENSE_TWIN
from keras_moduli.experiments.runs.settings import NO_REGULARIZER
from keras_moduli.experiments.runs.settings import Settings
from keras_moduli.experiments.runs.training import Run
from keras_moduli.tasks import TASKS
from keras_moduli.utils.files import write_text

AXES = (
    "space",
    "inhibitor",
    "scale",
    "factor",
    "sparsity",
    "connections",
    "group_size",
    "learning_rate",
    "units",
)
_POLL = 0.5  # seconds between two looks at the processes


def plan(
    task, given, axes, controls, seeds, preset="small", only_controls=False
):
    """The runs of a sweep.

    Args:
        task: A name in `keras_moduli.tasks.TASKS`.
        given: Settings that all runs share, a dict.
        axes: A dict from names in `AXES` to lists of values; all
            combinations are run.
        controls: A list of controls, run for the first space, inhibitor and
            scale only, with every factor, sparsity and group size, and
            pruned. Their points rest, also where the others' are trained.
        seeds: How many seeds, from 0.
        preset: The task's preset for all other settings.
        only_controls: Whether to leave out what is no control.

    Returns:
        A dict from the run's name to its `Settings`.

    Raises:
        ValueError: If a name or a value is not allowed, or there are no runs.
    """
    if only_controls and not controls:
        raise ValueError(
            "`control` must name the controls to run alone. Received: none"
        )
    combinations = [
        dict(zip(axes, values, strict=True))
        for values in itertools.product(*axes.values())
    ]
    first = {
        name: axes[name][0]
        for name in ("space", "inhibitor", "scale")
        if name in axes
    }
    of_controls = {**first, "connections": PRUNED, "trainable": False}
    variants = [
        *([] if only_controls else combinations),
        *(
            {**combination, **of_controls, "control": control}
            for control in controls
            for combination in combinations
        ),
    ]
    runs = {}
    for variant, seed in itertools.product(variants, range(seeds)):
        whole = {**given, **variant, "seed": seed}
        settings = Settings.of(task, whole, preset).effective()
        runs[run_name(settings)] = settings
    return runs


def dense_family(task, given, units, seeds, preset="small"):
    """The runs of dense models of several sizes, as `plan` gives runs.

    Args:
        task, given, seeds, preset: As for `plan`.
        units: A list of numbers of recurrent units.
    """
    dense = {"sparsity": 0.0, "connections": PRUNED, "group_size": 1}
    return plan(
        task,
        {**given, **dense},
        {"units": units},
        [NO_REGULARIZER],
        seeds,
        preset,
        only_controls=True,
    )


def run_name(settings):
    """What a run's folder is called."""
    if settings.fixed:
        parts = [settings.connections.replace(":", "")]
        if (settings.space, settings.inhibitor) != (
            Settings.space,
            Settings.inhibitor,
        ):
            parts += [settings.space, settings.inhibitor]
    elif settings.control in (NO_REGULARIZER, DENSE_TWIN):
        parts = [settings.control]
    else:
        parts = [
            *([settings.control] if settings.control else []),
            *(["trainable"] if settings.trainable else []),
            settings.space,
            settings.inhibitor,
            *([f"scale{settings.scale:g}"] if settings.scale != 1.0 else []),
            f"factor{settings.factor:g}",
        ]
    if settings.group_size > 1:
        parts.append(f"groups{settings.group_size}")
    parts += [
        f"{short}{settings.task_settings[name]:g}"
        for name, short in _OF_TASK.items()
        if _is_own(settings, name)
    ]
    parts += [f"sparsity{settings.sparsity:g}", f"seed{settings.seed}"]
    return "-".join(parts)


# Settings of the task that a folder's name tells, and how.
_OF_TASK = {"learning_rate": "rate", "units": "units"}


def _is_own(settings, name):
    """Whether a setting of the task is neither a preset's nor the default."""
    task = TASKS[settings.task]
    usual = [getattr(task, name), *(p.get(name) for p in task.presets.values())]
    return settings.task_settings.get(name) not in (None, *usual)


def _check_sweep(folder, document):
    """Raises unless a folder's sweep has the same task and data."""
    found = folders.load(folder)
    if "sweep" not in found:
        raise ValueError(
            "`out` holds a run of `keras-moduli train`, no sweep. Choose "
            f"another folder. Received: out='{folder}'"
        )
    if found != document:
        raise ValueError(
            f"`out` holds runs of {found}, these are of {document}. "
            f"Choose another folder. Received: out='{folder}'"
        )


class Sweep:
    """The runs of a folder.

    Args:
        folder: Where the runs' folders stand, or are to stand.
        runs: A dict from name to `Settings`; see `plan`.

    Raises:
        ValueError: If the folder cannot be used, holds another task, other
            data or other settings of one of these runs, or a run cannot work.
    """

    def __init__(self, folder, runs):
        self.folder = Path(folder).absolute()
        self.runs = runs
        settings = list(runs.values())
        task = settings[0].make_task()
        document = {"sweep": settings[0].task, "data": task.digest}
        if folders.is_run(self.folder):
            _check_sweep(self.folder, document)
        else:
            folders.check_new(self.folder)
        for each in settings:
            if each.seed == 0:  # the others differ in nothing that can fail
                check(each, each.make_task())
        for name, each in runs.items():
            self._check_same(name, each)
        if not folders.is_run(self.folder):
            folders.create(self.folder, document)

    def _check_same(self, name, settings):
        folder = self.folder / name
        if not folders.is_run(folder):
            folders.check_new(folder)
            return
        found = Settings.from_dict(folders.load(folder)).effective()
        if found != settings:
            changed = [
                key
                for key, value in settings.to_dict().items()
                if found.to_dict()[key] != value
            ]
            raise ValueError(
                f"The run '{name}' stands there with other settings: "
                f"{changed} differ. Choose another folder. "
                f"Received: out='{self.folder}'"
            )

    def run(self, console, pool, deadline=None):
        """Does all runs that are not finished.

        A run that fails is marked (`failed.txt`) and the others go on; it is
        tried again the next time.

        Args:
            console: A `rich.console.Console`.
            pool: `Processes` or a `Cluster`: where the runs go.
            deadline: When to stop, as `time.time()` counts, or `None`.

        Returns:
            The names of the runs that failed.

        Raises:
            OutOfTime: If the deadline came first; the next call goes on.
        """
        folders.clean(self.folder)
        waiting = [n for n in self.runs if not self._run(n).finished]
        console.print(
            f"{len(self.runs)} runs, {len(self.runs) - len(waiting)} of them "
            "finished before"
        )
        bar = _bar(console)
        begun = sum(map(self._epochs_done, waiting))
        row = bar.add_task(
            "", total=sum(map(self._epochs, waiting)) - begun, left=""
        )

        def show(left):
            done = sum(map(self._epochs_done, waiting)) - begun
            bar.update(row, completed=done, left=f"{left} runs left")

        with bar:
            failed = self._work(list(waiting), console, pool, deadline, show)
        if not all(n in failed or self._run(n).finished for n in waiting):
            raise OutOfTime
        return failed

    def _work(self, todo, console, pool, deadline, show):
        """Keeps the pool busy until nothing is left to do, or no time."""
        running, failed = {}, []
        try:
            while todo or running:
                while todo and len(running) < pool.jobs:
                    name = todo.pop(0)
                    running[name] = self._start(name, pool, deadline)
                time.sleep(_POLL)
                for name in [n for n, r in running.items() if pool.ended(r)]:
                    del running[name]
                    self._note(console, name, failed)
                if deadline is not None and time.time() > deadline:
                    todo = []
                show(len(todo) + len(running))
        finally:
            for run in running.values():
                pool.stop(run)
        return failed

    def _run(self, name):
        settings = self.runs[name]
        return Run(self.folder / name, settings, task=None)

    def _start(self, name, pool, deadline):
        folder = self.folder / name
        if not folders.is_run(folder):
            folders.create(folder, self.runs[name].to_dict())
        for mark in ("failed.txt", PAUSED):
            (folder / mark).unlink(missing_ok=True)
        return pool.start(folder, deadline)

    def _note(self, console, name, failed):
        folder = self.folder / name
        if self._run(name).finished:
            console.print(f"{name}: finished")
            return
        if (folder / PAUSED).is_file():
            console.print(f"{name}: paused")
            return
        log = (folder / "log.txt").read_text("utf-8", "replace")
        reason = (log.strip().splitlines() or ["no message"])[-1]
        write_text(folder / "failed.txt", reason + "\n")
        console.print(f"{name}: failed, {reason}", style="red")
        failed.append(name)

    def _epochs(self, name):
        settings = self.runs[name]
        return settings.epochs * (2 if settings.lottery else 1)

    def _epochs_done(self, name):
        run = self._run(name)
        if run.finished:
            return self._epochs(name)
        return sum(
            each.epochs_done for each in (run, run.ticket) if each is not None
        )


def _bar(console):
    return progress.Progress(
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("epochs, {task.fields[left]}, time left"),
        progress.TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
        disable=not console.is_terminal,
    )
