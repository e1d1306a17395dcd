"""The machine and the packages that a report was made with."""

import os
import platform
from importlib import metadata

import keras

from keras_moduli.version import __version__

_PACKAGES = ("keras", "tensorflow", "jax", "torch", "ai-edge-litert", "numpy")


def this_machine():
    """All of it, as a JSON-able dict."""
    packages = {}
    for name in _PACKAGES:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "keras_moduli": __version__,
        "backend": keras.backend.backend(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "packages": packages,
    }
