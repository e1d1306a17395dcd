"""Full-integer conversion, in a process that may crash.

The converter runs the model on examples to learn the range of every tensor.
On some models, all those with loops among them, this ends the process with a
segmentation fault.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from keras_moduli.export.conversion import calibrator
from keras_moduli.export.errors import ExportError
from keras_moduli.export.errors import explanation


def calibrated(folder, calibration):
    """Converts a SavedModel to a .tflite file of 8-bit integers.

    Args:
        folder: The SavedModel.
        calibration: A dict from signature to a list of feeds: dicts from
            input name to array, all of the same shapes.

    Returns:
        The bytes of the file.

    Raises:
        ExportError: If the converter fails, or ends its process.
    """
    folder = Path(folder)
    for signature, feeds in calibration.items():
        np.savez(
            folder / f"{signature}.npz",
            **{name: [feed[name] for feed in feeds] for name in feeds[0]},
        )
    run_apart(calibrator.__file__, folder, *calibration)
    return (folder / calibrator.RESULT).read_bytes()


def run_apart(script, folder, *arguments):
    """Runs a script of ours in a process of its own.

    Args:
        script: The file. It gets the folder and the other arguments; if
            something goes wrong it leaves the message in the folder.
        folder: A `pathlib.Path`.
        *arguments: Strings.

    Raises:
        ExportError: If it fails in any way, be it by a signal.
    """
    done = _process(script, str(folder), *arguments)
    told = folder / calibrator.MESSAGE
    if done.returncode < 0:
        raise ExportError(
            "TensorFlow Lite's converter crashed while it calibrated this "
            f"model ({_signal_name(-done.returncode)}). It does so on loops, "
            "such as `keras.ops.scan` or `keras.ops.while_loop`; recurrent "
            "layers are unrolled for it. `quantization='int8'` works without "
            "calibration, and `streaming=True` without loops over time."
        )
    if told.exists():
        raise ExportError(explanation(told.read_text(encoding="utf-8")))
    if done.returncode:
        raise ExportError(
            f"the process that calibrates ended with {done.returncode}: "
            f"{done.stderr.strip()[-500:]}"
        )


def _process(script, *arguments):
    return subprocess.run(
        # Without its folder on the path: the modules there are ours.
        [sys.executable, "-P", script, *arguments],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        },
        capture_output=True,
        text=True,
        errors="replace",
    )


def _signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
