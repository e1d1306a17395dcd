"""Processes of a sweep's runs."""

import time
from pathlib import Path

import pytest

from keras_moduli.experiments.sweeps.processes import launch


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc")
def test_a_worker_keeps_its_memory_but_for_what_its_user_says(
    tmp_path, monkeypatch
):
    monkeypatch.delenv("MALLOC_MMAP_MAX_", raising=False)
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "131072")
    process = launch(tmp_path)
    environment = Path(f"/proc/{process.pid}/environ")
    try:
        # Empty until the program is there.
        while not (lines := environment.read_text()) and not process.poll():
            time.sleep(0.01)
    finally:
        process.kill()
        process.communicate()
    lines = lines.split("\0")
    assert "MALLOC_MMAP_MAX_=0" in lines
    assert "MALLOC_TRIM_THRESHOLD_=131072" in lines
