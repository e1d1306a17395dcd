"""Trainings of a job in processes of their own."""

import time

import numpy as np
import pytest
from tiny import QUIET
from tiny import tiny

import keras_moduli  # noqa: F401  what models are read with
from keras_moduli.experiments import trainings
from keras_moduli.experiments.job import Job
from keras_moduli.experiments.runs.deadline import OutOfTime
from keras_moduli.experiments.runs.training import Run
from keras_moduli.experiments.trainings import Trainings


class Pool:
    """Processes that do at once what they are told to, and note their calls."""

    def __init__(self, does, jobs=2):
        self.does, self.jobs = does, jobs
        self.running, self.most, self.stopped = set(), 0, []

    def start(self, folder, deadline):
        (folder / "log.txt").touch()
        self.running.add(folder)
        self.most = max(self.most, len(self.running))
        return folder

    def ended(self, folder):
        ended = self.does[folder.name](folder)
        if ended:
            self.running.remove(folder)
        return ended

    def stop(self, folder):
        self.stopped.append(folder.name)


def finishes(folder):
    (folder / "metrics.json").write_text('{"position_error": 1.5}')
    return True


def fails(folder):
    return True


def pauses(folder):
    (folder / "paused.txt").touch()
    return True


def breaks(folder):
    raise KeyboardInterrupt


def hangs(folder):
    return False


@pytest.fixture
def work(monkeypatch):
    monkeypatch.setattr(trainings, "_POLL", 0.0)
    monkeypatch.setattr(
        Run, "train", lambda run, *_: trained.append(run.folder.name)
    )
    trained = []

    def make(**does):
        work = Trainings(QUIET)
        work._pool = Pool(does)
        work.trained = trained
        return work

    return make


def runs_of(folder, *names):
    settings = tiny()
    return [Run(folder / n, settings, settings.make_task()) for n in names]


def test_what_a_process_has_trained_is_not_trained_again(work, tmp_path):
    work = work(a=finishes, b=fails, c=finishes)
    runs = runs_of(tmp_path, "a", "b", "c")
    work.side_by_side(runs)
    assert work._pool.most == 2
    for run in runs:
        work.train(run)
    assert work.trained == ["b"]
    # What failed keeps its log.
    left = {f.parent.name for f in tmp_path.glob("*/log.txt")}
    assert left == {"b"}


def test_one_run_needs_no_process(work, tmp_path):
    work = work()
    done, left = runs_of(tmp_path, "done", "left")
    done.folder.mkdir()
    finishes(done.folder)
    work.side_by_side([done, left])
    assert not left.folder.exists()


def test_time_is_up_when_all_have_stopped(work, tmp_path):
    work = work(a=pauses, b=finishes)
    runs = runs_of(tmp_path, "a", "b")
    with pytest.raises(OutOfTime):
        work.side_by_side(runs)
    assert runs[1].finished
    # A later call begins without the mark.
    work._pool.does["a"] = finishes
    work.side_by_side([*runs, *runs_of(tmp_path, "b2")][:2])
    assert work._pool.stopped == []


def test_processes_end_with_their_owner(work, tmp_path):
    work = work(a=hangs, b=breaks)
    with pytest.raises(KeyboardInterrupt):
        work.side_by_side(runs_of(tmp_path, "a", "b"))
    assert sorted(work._pool.stopped) == ["a", "b"]


def everything(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.slow
def test_side_by_side_is_the_same_job(tmp_path):
    settings = tiny(connections="own", group_size=8, weights="recurrent")
    one, two = tmp_path / "one", tmp_path / "two"
    Job.start(one, settings, beside=["plain"]).run(QUIET)
    job = Job.start(two, settings, beside=["plain"])
    with pytest.raises(OutOfTime):
        job.run(QUIET, deadline=time.time() + 1, jobs=2)
    job = Job.resume(two, "navigation", {})
    job.run(QUIET, jobs=2)
    assert everything(one) == everything(two)
    for name in ("plain", "sparse"):
        runs = [Run(folder / name, settings, None) for folder in (one, two)]
        tested = [run.metrics()["test"] for run in runs]
        assert tested[0] == tested[1]
        weights = [run.model().get_weights() for run in runs]
        for ours, theirs in zip(*weights, strict=True):
            np.testing.assert_array_equal(ours, theirs)
