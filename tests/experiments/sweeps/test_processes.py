"""Processes of a sweep's runs."""

import os
import time
from pathlib import Path

import pytest

from keras_moduli.experiments.sweeps.processes import launch


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc")
@pytest.mark.parametrize(("jobs", "threads"), [(1, None), (2, "2"), (9, "1")])
def test_workers_keep_memory_and_share_cores_but_for_what_their_user_says(
    tmp_path, monkeypatch, jobs, threads
):
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.delenv("MALLOC_MMAP_MAX_", raising=False)
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "131072")
    process = launch(tmp_path, jobs=jobs)
    environment = Path(f"/proc/{process.pid}/environ")
    try:
        # Empty until the program is there.
        while not (text := environment.read_text()) and not process.poll():
            time.sleep(0.01)
    finally:
        process.kill()
        process.communicate()
    found = dict(line.split("=", 1) for line in text.split("\0") if line)
    assert found["MALLOC_MMAP_MAX_"] == "0"
    assert found["MALLOC_TRIM_THRESHOLD_"] == "131072"
    assert found.get("TF_NUM_INTRAOP_THREADS") == threads
