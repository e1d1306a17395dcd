"""RESULTS.md: its tables are what the runs in results/ gave."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_tables_are_those_of_the_runs():
    text = (ROOT / "RESULTS.md").read_text("utf-8")
    renewed = runpy.run_path(str(ROOT / "benchmarks" / "results.py"))["renewed"]
    assert text.count("\nkeras-moduli table results/") > 0
    assert renewed(text) == text
