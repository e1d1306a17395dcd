"""Commands for processes of their own, and what they run in."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

# As it was installed beside this Python.
COMMAND = str(Path(sys.executable).with_name("keras-moduli"))


def on(backend):
    """The environment of a process with this backend."""
    return {**os.environ, "KERAS_BACKEND": backend}


# For processes of which the backend does not matter.
ON_THE_FASTEST = on("jax")


def needs(package):
    """Skips a test where a package is not installed.

    To import one takes seconds, and this process may have no use for it.
    """
    return pytest.mark.skipif(
        importlib.util.find_spec(package) is None,
        reason=f"{package} is not installed",
    )


OTHER_BACKENDS = [
    pytest.param(backend, marks=needs(backend)) for backend in ("jax", "torch")
]


def python(script, *arguments):
    """The command that runs a script, which is a string.

    A fifth of the import of TensorFlow and Keras is to look for garbage, which
    such short lives make little of, and as much goes into what Keras imports
    and no script uses.
    """
    spared = (
        "import gc, sys, keras_moduli_command as command\n"
        "gc.disable()\n"
        "sys.modules.update(dict.fromkeys(command.unused()))\n"
        "if command.backend() != 'tensorflow':\n"
        "    sys.modules['tensorflow'] = None  # Keras would import it\n"
    )
    return [sys.executable, "-c", spared + script, *map(str, arguments)]
