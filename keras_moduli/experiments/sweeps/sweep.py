"""Many runs of one task, each in a folder of its own, in any number of goes."""

import time
from pathlib import Path

from rich import progress

from keras_moduli.experiments.runs import folders
from keras_moduli.experiments.runs.deadline import PAUSED
from keras_moduli.experiments.runs.deadline import OutOfTime
from keras_moduli.experiments.runs.models import check
from keras_moduli.experiments.runs.records import SUFFIX
from keras_moduli.experiments.runs.records import Records
from keras_moduli.experiments.runs.settings import Settings
from keras_moduli.experiments.runs.training import Run
from keras_moduli.utils.files import write_text

_POLL = 0.5  # seconds between two looks at the processes


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
    """The runs of a folder, or of a file of records.

    Args:
        out: Where the runs' folders stand, or are to stand. Or a `.jsonl`
            file: runs that it holds are done, and those that come to an end
            are added; they are made in the folder of that name without the
            suffix.
        runs: A dict from name to `Settings`; see `plan`.

    Raises:
        ValueError: If the folder cannot be used, holds another task, other
            data or other settings of one of these runs, or a run cannot work.
    """

    def __init__(self, out, runs):
        self.out = Path(out).absolute()
        recorded = self.out.suffix == SUFFIX
        self.folder = self.out.with_suffix("") if recorded else self.out
        self.runs = runs
        settings = list(runs.values())
        task = settings[0].make_task()
        document = {"sweep": settings[0].task, "data": task.digest}
        self._records = Records(self.out, document) if recorded else None
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
        if self._is_recorded(name):
            found = self._records.runs[name].settings.effective()
        elif folders.is_run(folder):
            found = Settings.from_dict(folders.load(folder)).effective()
        else:
            folders.check_new(folder)
            return
        if found != settings:
            changed = [
                key
                for key, value in settings.to_dict().items()
                if found.to_dict()[key] != value
            ]
            raise ValueError(
                f"The run '{name}' stands there with other settings: "
                f"{changed} differ. Choose another folder. "
                f"Received: out='{self.out}'"
            )

    def _is_recorded(self, name):
        return self._records is not None and name in self._records.runs

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
        for name in self.runs:
            self._record(name)
        waiting = [n for n in self.runs if not self._finished(n)]
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
        if not all(n in failed or self._finished(n) for n in waiting):
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

    def _finished(self, name):
        return self._is_recorded(name) or self._run(name).finished

    def _record(self, name):
        """Adds a run to the records, if there are any and it is finished."""
        if self._records is not None and not self._is_recorded(name):
            run = self._run(name)
            if run.finished:
                self._records.add(name, run)

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
            self._record(name)
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
