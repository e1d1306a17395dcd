"""One run of a sweep, in a process of its own."""

import os
import sys
import threading

from rich.console import Console

from keras_moduli.experiments.runs import folders
from keras_moduli.experiments.runs.deadline import PAUSED
from keras_moduli.experiments.runs.deadline import OutOfTime
from keras_moduli.experiments.runs.settings import Settings
from keras_moduli.experiments.runs.training import Run
from keras_moduli.experiments.runs.training import make_deterministic
from keras_moduli.utils.files import write_text


def run():
    """Does what the process's arguments say: FOLDER [DEADLINE]."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    main(*sys.argv[1:])


def main(folder, deadline=None):
    settings = Settings.from_dict(folders.load(folder))
    make_deterministic()
    run = Run(folder, settings, settings.make_task())
    try:
        run.train(Console(), settings.task, deadline and float(deadline))
    except OutOfTime as stop:
        write_text(run.folder / PAUSED, f"{stop}\n")


def _die_with_parent():
    """Two sweeps in one folder would spoil each other's runs."""
    # Not sys.stdin: its lock must be free when Python shuts down.
    os.read(0, 1)
    os._exit(1)
