"""The notebooks: what is committed ran, and they still run."""

import os
import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")

ROOT = Path(__file__).parents[2]
# Sizes at which each runs in seconds: what it says is then not true, but
# every line of it has been executed.
SMALL = {
    "quickstart": {"UNITS": 16, "GROUP": 4, "EPOCHS": 4},
    "choosing_a_space": {
        "UNITS": 16,
        "EPOCHS": 2,
        "FACTORS": [0.01],
        "SEEDS": [0],
    },
    "path_integration": {
        "UNITS": 24,
        "CELLS": 16,
        "STEPS": 10,
        "SPARSITIES": [0.5],
    },
    "tracking": {
        "UNITS": 32,
        "CELLS": 16,
        "GROUP": 4,
        "SPARSITY": 0.5,
        "STEPS": 10,
        "LENGTH": 4,
        "WALK": 40,
    },
    "to_the_phone": {"UNITS": 64, "TILE": 16, "SPARSITY": 0.75, "EPOCHS": 1},
    "from_tfmot": {"UNITS": 16, "EPOCHS": 4},
    "which_pattern": {
        "UNITS": 64,
        "DENSE_UNITS": [64],
        "GROUP": 16,
        "SPARSITY": 0.75,
        "STEPS": 10,
        "CHARACTERS": 20_000,
    },
}
# Packages that only some need.
NEEDED = {"tracking": ["ratinabox"]}


def read(name):
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


def code_of(name):
    return [cell for cell in read(name).cells if cell.cell_type == "code"]


def test_all_of_them_are_tested():
    found = {file.stem for file in (ROOT / "notebooks").glob("*.ipynb")}
    assert found == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_committed_outputs_are_of_one_run_from_top_to_bottom(name):
    cells = code_of(name)
    counts = [cell.execution_count for cell in cells]
    assert counts == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    for output in outputs:
        assert output.output_type != "error"
        assert output.get("name") != "stderr"
        # No folders of the machine that ran it.
        assert not re.search(r"/(tmp|home|root|work)/", output.get("text", ""))
    size = (ROOT / "notebooks" / f"{name}.ipynb").stat().st_size
    assert size < 500_000


@pytest.mark.parametrize("name", SMALL)
def test_it_opens_in_colab_and_installs_itself(name):
    badge, install, *_ = read(name).cells
    assert f"/keras-moduli/blob/main/notebooks/{name}.ipynb" in badge.source
    assert "%pip install" in install.source


@pytest.mark.parametrize("name", SMALL)
def test_the_parameters_can_be_changed(name):
    tagged = [
        cell
        for cell in code_of(name)
        if "parameters" in cell.metadata.get("tags", ())
    ]
    (cell,) = tagged
    assert SMALL[name].keys() <= set(re.findall(r"^(\w+) =", cell.source, re.M))


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_it_runs(name, tmp_path, monkeypatch):
    papermill = pytest.importorskip("papermill")
    for module in NEEDED.get(name, ()):
        pytest.importorskip(module)
    monkeypatch.setenv(
        "PYTHONPATH",
        os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    )
    # Raises if a cell does.
    ran = papermill.execute_notebook(
        ROOT / "notebooks" / f"{name}.ipynb",
        tmp_path / f"{name}.ipynb",
        parameters=SMALL[name],
        kernel_name="python3",
        cwd=tmp_path,
        progress_bar=False,
    )
    cells = [cell for cell in ran.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells)
