"""One run of a sweep, in a process of its own: `python -m ... FOLDER`."""

import os
import sys
import threading

from rich.console import Console

from keras_moduli.experiments import folders
from keras_moduli.experiments.settings import Settings
from keras_moduli.experiments.training import Run
from keras_moduli.experiments.training import make_deterministic


def main(folder):
    settings = Settings.from_dict(folders.load(folder))
    make_deterministic()
    Run(folder, settings, settings.make_task()).train(Console(), settings.task)


def _die_with_parent():
    """Two sweeps in one folder would spoil each other's runs."""
    # Not sys.stdin: its lock must be free when Python shuts down.
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_die_with_parent, daemon=True).start()
    main(sys.argv[1])
