"""Keeps what native libraries log about themselves off the terminal."""

import contextlib
import faulthandler
import os
import shutil
import sys
import tempfile


@contextlib.contextmanager
def held_back(expected=()):
    """Holds back what is written to the process's stderr from outside Python.

    TensorFlow's converters write dozens of lines there, through progress
    bars and whatever the log level. They are shown if the body raises an
    error that is not expected; a native crash shows Python's stack.

    Args:
        expected: A tuple of exceptions that say enough by themselves.
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
        except expected:
            raise
        except Exception:
            log.seek(0)
            shutil.copyfileobj(log, stderr.buffer)
            raise
        finally:
            stderr.flush()
            os.dup2(stderr.fileno(), 2)
            faulthandler.disable()
            sys.stderr = sys.__stderr__
