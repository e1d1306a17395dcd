"""The command `keras-moduli`, without what native libraries log.

It stands outside of the package: to import anything in there is to import
Keras, whose backend writes to stderr at once.
"""

import contextlib
import faulthandler
import gc
import json
import os
import shutil
import sys
import tempfile

# What Keras and TensorFlow import if it is there, for what no command does
# with it, and what TensorFlow imports besides, which JAX needs.
_UNUSED = ("sklearn", "pandas", "matplotlib", "IPython")
_OF_JAX = ("jax", "scipy")


def main():
    """Runs the command line; returns the exit status."""
    with held_back():
        with quick_imports():
            from keras_moduli import cli
        return cli.main()


@contextlib.contextmanager
def quick_imports():
    """For the imports that a process begins with."""
    with uncollected(), without(*unused()):
        yield


def unused():
    """Names of packages that would be imported for nothing.

    To import them takes a quarter of the start of a process.
    """
    return _UNUSED if backend() != "tensorflow" else _UNUSED + _OF_JAX


def backend():
    """The backend that Keras will choose, from where it looks itself."""
    base = os.path.expanduser("~")
    base = base if os.access(base, os.W_OK) else "/tmp"
    home = os.environ.get("KERAS_HOME", os.path.join(base, ".keras"))
    try:
        with open(os.path.expanduser(os.path.join(home, "keras.json"))) as file:
            configured = json.load(file).get("backend")
    except (OSError, ValueError):
        configured = None  # Keras has not written it yet
    return os.environ.get("KERAS_BACKEND") or configured or "tensorflow"


@contextlib.contextmanager
def uncollected():
    """For imports: without looking for garbage, now or later.

    What TensorFlow and Keras import stays. To look through it, again and again
    while it grows, takes a fifth of the start of a process, and at every
    conversion, which collects garbage, a third of a small one.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def without(*names):
    """For imports: as if some packages were not installed."""
    missing = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(missing))
    try:
        yield
    finally:
        for name in missing:
            sys.modules.pop(name, None)


@contextlib.contextmanager
def held_back():
    """Holds back what is written to the process's stderr from outside Python.

    TensorFlow and its converters write dozens of lines there, through progress
    bars and whatever the log level. They are shown if the body raises an
    error; a native crash shows Python's stack.
    """
    if sys.stderr is not sys.__stderr__:  # somebody else captures it
        yield
        return
    with tempfile.TemporaryFile() as log, os.fdopen(os.dup(2), "w") as stderr:
        sys.stderr = stderr  # what Python writes still appears
        faulthandler.enable(stderr)
        os.dup2(log.fileno(), 2)
        try:
            yield
        except Exception:
            log.seek(0)
            shutil.copyfileobj(log, stderr.buffer)
            raise
        finally:
            stderr.flush()
            os.dup2(stderr.fileno(), 2)
            faulthandler.disable()
            sys.stderr = sys.__stderr__
