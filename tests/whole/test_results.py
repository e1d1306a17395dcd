"""RESULTS.md: its tables are what the runs in results/ gave, its commands
make those runs and no others."""

import json
import re
import runpy
import subprocess
from pathlib import Path

import pytest

from keras_moduli.cli import parser
from keras_moduli.experiments.runs.deadline import OutOfTime
from keras_moduli.experiments.runs.records import Records
from keras_moduli.experiments.sweeps import sweep

ROOT = Path(__file__).parents[2]

# Stands in for the command, to be told what bash makes of a block, and for
# scripts, which make no sweeps.
SHIM = r"""
python() { :; }
keras-moduli() { printf '%s\037' "$@"; printf '\036'; }
"""


@pytest.fixture(scope="module")
def text():
    return (ROOT / "RESULTS.md").read_text("utf-8")


def test_the_tables_are_those_of_the_runs(text):
    renewed = runpy.run_path(str(ROOT / "results" / "tables.py"))["renewed"]
    assert text.count("\nkeras-moduli table results/") > 0
    assert renewed(text) == text


@pytest.mark.parametrize(
    "name", ["overlap", "graphs", "recipes", "long_walks", "units"]
)
def test_tables_of_scripts_are_those_of_the_runs(name, text, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "results")  # what they share
    script = runpy.run_path(str(ROOT / "results" / f"{name}.py"))
    runs = json.loads(script["RECORDS"].read_text())
    assert "\n".join(script["table"](runs)) in text
    assert not script["missing"](runs)


@pytest.fixture(scope="module")
def commands(text):
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    made = subprocess.run(
        ["bash", "-euc", SHIM + "\n".join(blocks)],
        capture_output=True,
        text=True,
        check=True,
    )
    return [
        command.split("\x1f")[:-1] for command in made.stdout.split("\x1e")[:-1]
    ]


@pytest.fixture
def planned(commands, monkeypatch):
    """A dict from a folder to the runs that the commands make there."""
    plans = {}

    class Recorder:
        def __init__(self, folder, runs):
            plans.setdefault(folder, {}).update(runs)

        def run(self, console, pool, deadline):
            raise OutOfTime

    monkeypatch.setattr(sweep, "Sweep", Recorder)
    for command in commands:
        if command[0] == "sweep":
            assert parser.main(command) == 3
    return plans


def test_the_commands_make_the_runs(planned):
    kept = {p for p in planned if p.startswith("results/")}
    files = sorted((ROOT / "results").glob("*.jsonl"))
    assert kept == {f"results/{file.name}" for file in files}
    for path in kept:
        runs = Records(ROOT / path).runs
        found = {name: run.settings.effective() for name, run in runs.items()}
        assert found == planned[path]
