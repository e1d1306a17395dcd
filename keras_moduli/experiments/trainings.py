"""The trainings of a job: one after the other, or side by side."""

import time

from rich import progress

from keras_moduli.experiments.runs import folders
from keras_moduli.experiments.runs.deadline import PAUSED
from keras_moduli.experiments.runs.deadline import OutOfTime
from keras_moduli.experiments.sweeps.processes import Processes

_POLL = 0.5  # seconds between two looks at the processes


class Trainings:
    """Trains runs, here or in processes of their own.

    Small nets keep hardly more than one core busy.

    Args:
        console: A `rich.console.Console`.
        jobs: How many processes at a time; with 1 all happens here.
        deadline: When to stop, as `time.time()` counts, or `None`.
    """

    def __init__(self, console, jobs=1, deadline=None):
        self._console = console
        self._pool = Processes(jobs)
        self._deadline = deadline
        self._fresh = set()

    def train(self, run):
        """Trains a run to its end, unless `side_by_side` just has.

        Raises:
            OutOfTime: If the deadline came first; the next call goes on.
        """
        if run.folder not in self._fresh:
            run.train(self._console, run.folder.name, self._deadline)

    def side_by_side(self, runs):
        """Trains several runs at a time, unless that is one.

        A run whose process fails is left to `train`, which raises what it
        failed of.

        Args:
            runs: List of `Run`s.

        Raises:
            OutOfTime: If the deadline came first; the next call goes on.
        """
        waiting = [run for run in runs if not run.finished]
        if min(self._pool.jobs, len(waiting)) < 2:
            return
        todo, running = list(waiting), {}
        try:
            with self._bar() as bar:
                rows = {
                    run: bar.add_task(
                        run.folder.name, total=run.settings.epochs
                    )
                    for run in waiting
                }
                while todo or running:
                    while todo and len(running) < self._pool.jobs:
                        run = todo.pop(0)
                        running[run] = self._start(run)
                    time.sleep(_POLL)
                    for run, row in rows.items():
                        bar.update(row, completed=run.epochs_done)
                    self._collect(running)
        finally:
            for process in running.values():
                self._pool.stop(process)
        if any((run.folder / PAUSED).is_file() for run in waiting):
            raise OutOfTime

    def _start(self, run):
        if not folders.is_run(run.folder):
            folders.create(run.folder, run.settings.to_dict())
        (run.folder / PAUSED).unlink(missing_ok=True)
        return self._pool.start(run.folder, self._deadline)

    def _collect(self, running):
        """Takes out, and tells of, what has come to an end."""
        for run in [r for r, p in running.items() if self._pool.ended(p)]:
            del running[run]
            if run.finished:
                self._fresh.add(run.folder)
                (run.folder / "log.txt").unlink()
                metric = run.metrics()[run.task.metric]
                self._console.print(
                    f"{run.folder.name}: {metric:#.4g} {run.task.metric_label}"
                )

    def _bar(self):
        return progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("epochs, time left"),
            progress.TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
