"""The runs of a sweep as processes of this machine."""

import os
import subprocess
import sys
from pathlib import Path

_WORKER = """
import keras_moduli_command
with keras_moduli_command.quick_imports():
    from keras_moduli.experiments.sweeps import worker
worker.run()
"""
# glibc gives large arrays back to the system after every step, and fetches
# them anew for the next, which is up to a fifth of a step on JAX.
_KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
}


class Processes:
    """Starts runs as processes and watches them.

    Args:
        jobs: How many at a time.
    """

    def __init__(self, jobs=1):
        self.jobs = jobs

    def start(self, folder, deadline=None):
        """Starts the run of a folder; returns what the others need."""
        return launch(folder, deadline, self.jobs)

    def ended(self, process):
        """Whether a run is over, well or badly."""
        if process.poll() is None:
            return False
        process.stdin.close()
        return True

    def stop(self, process):
        """Breaks a run off."""
        process.kill()


def launch(folder, deadline=None, jobs=1):
    """The process of one run; it dies with the process that launched it.

    Args:
        folder: The run's.
        deadline: When it has to break off.
        jobs: How many share this machine.
    """
    moment = [] if deadline is None else [str(deadline)]
    with open(Path(folder) / "log.txt", "ab") as log:
        return subprocess.Popen(
            [
                *(sys.executable, "-c", _WORKER),
                *(str(folder), *moment),
            ],
            env={**_KEEP_MEMORY, **_threads(jobs), **os.environ},
            stdin=subprocess.PIPE,  # closes when this process dies
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _threads(jobs):
    """As many threads for TensorFlow as leave the others theirs.

    By itself it takes one for each core, and runs wait for each other's.
    """
    if jobs == 1:
        return {}
    return {"TF_NUM_INTRAOP_THREADS": str(max(1, os.cpu_count() // jobs))}
