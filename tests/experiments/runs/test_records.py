"""Files of records, against the folders that they stand for."""

import json
import shutil

import pytest
from rich.console import Console

from keras_moduli.cli import main
from keras_moduli.experiments.reports import table
from keras_moduli.experiments.runs import folders
from keras_moduli.experiments.runs.records import Records
from keras_moduli.experiments.sweeps import plan as plans
from keras_moduli.experiments.sweeps import sweep
from keras_moduli.experiments.sweeps.sweep import Sweep

TINY = {"units": 8, "sequence_length": 4, "validation_size": 50}
QUIET = Console(quiet=True)


def plan(seeds):
    axes = {"space": ["torus", "discrete"], "sparsity": [0.5]}
    given = {**TINY, "lottery": True}
    return plans.plan("adding", given, axes, ["none"], seeds)


class Pool:
    """Stands in for processes: a run is finished as soon as it begins."""

    jobs = 1

    def __init__(self):
        self.started = []

    def start(self, folder, deadline):
        del deadline
        self.started.append(folder.name)
        for place, error in ((folder, 0.1), (folder / "lottery", 0.2)):
            place.mkdir(exist_ok=True)
            metrics = {
                "mse": error,
                "loss": error,
                "test": {"mse": error + len(self.started)},
                "trivial": 1.0,
                "sparsity": {"kernel": 0.5},
                "seconds": 1.0,
            }
            folders.write_json(place / "metrics.json", metrics)

    def ended(self, run):
        return True

    def stop(self, run):
        """Nothing runs."""


@pytest.fixture
def swept(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "_POLL", 0.0)
    file = tmp_path / "adding.jsonl"
    pool = Pool()
    assert Sweep(file, plan(seeds=2)).run(QUIET, pool) == []
    assert len(pool.started) == 6
    return file


def test_a_file_gives_the_table_that_the_folder_gives(swept):
    ours = table.render(table.load(swept), "csv")
    assert ours == table.render(table.load(swept.with_suffix("")), "csv")
    assert "ticket mean" in ours


def test_what_is_recorded_is_not_done_again(swept):
    shutil.rmtree(swept.with_suffix(""))
    pool = Pool()
    Sweep(swept, plan(seeds=3)).run(QUIET, pool)
    assert sorted(name[-5:] for name in pool.started) == ["seed2"] * 3
    assert len(Records(swept).runs) == 9


def test_what_a_folder_holds_is_recorded(swept):
    swept.unlink()
    pool = Pool()
    Sweep(swept, plan(seeds=2)).run(QUIET, pool)
    assert pool.started == []
    assert len(Records(swept).runs) == 6


def test_other_settings_and_other_data_are_errors(swept):
    shutil.rmtree(swept.with_suffix(""))
    changed = {
        name: s.of("adding", {**s.to_dict()["task_settings"], "steps": 7})
        for name, s in plan(1).items()
    }
    with pytest.raises(ValueError, match=r"other settings.*Received"):
        Sweep(swept, changed)
    other = plans.plan("navigation", {}, {}, [], seeds=1)
    with pytest.raises(ValueError, match=r"holds runs of.*Received"):
        Sweep(swept, other)


@pytest.mark.parametrize("text", ["", "{}\n", "[]\n", '{"sweep": "a"', "no"])
def test_a_damaged_file_is_named(tmp_path, text):
    file = tmp_path / "x.jsonl"
    file.write_text(text)
    with pytest.raises(ValueError, match=f"(?s)damaged.*{file}"):
        Records(file)
    with pytest.raises(ValueError, match="There is no file of runs"):
        Records(tmp_path / "missing.jsonl")


def test_a_line_that_settings_do_not_know_is_an_error(swept):
    head, first, *_ = swept.read_text().splitlines()
    line = json.loads(first)
    line["settings"]["unknown"] = 1
    swept.write_text(f"{head}\n{json.dumps(line)}\n")
    with pytest.raises(ValueError, match="damaged.*unknown"):
        Records(swept)


@pytest.mark.parametrize("command", ["plot", "tradeoff adding --out"])
def test_pictures_need_the_folder(swept, capsys, command):
    assert main([*command.split(), str(swept)]) == 2
    assert "metrics only" in capsys.readouterr().err
