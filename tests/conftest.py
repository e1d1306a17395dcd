"""What tests of several rooms share.

Keras is imported where it is used: the process that only hands tests to others
would start with it, and they would wait.
"""

import functools
import gc
import os
import tempfile
from pathlib import Path

import pytest
import warm

import keras_moduli_command

# Before the imports that read them, and for the processes of tests, too.
# There are as many of these as cores: their threads would wait for each other.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Many of them compile the same programs.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    COMPILED = tempfile.TemporaryDirectory(prefix="keras_moduli.")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = COMPILED.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

COLLECT = gc.collect
# TensorFlow's converter calls it at every export, a tenth of a small one's time
# where earlier tests have left something. All garbage goes with each module.
gc.collect = functools.partial(COLLECT, 1)


# Rooms whose modules take longest: two processes end together if these begin.
LONG = ("experiments", "whole")


def pytest_collection_modifyitems(items):
    tests = Path(__file__).parent
    items.sort(key=lambda i: i.path.relative_to(tests).parts[0] not in LONG)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    # TensorFlow's converter collects garbage at every export, and would go
    # through all that was ever imported: nearly half of an export's time.
    with keras_moduli_command.uncollected():
        return (yield)


@pytest.fixture(scope="module", autouse=True)
def _forgotten():
    """Leaves nothing of a module for later ones' garbage collections."""
    yield
    import keras

    keras.backend.clear_session()
    COLLECT()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    # What a test draws is the same whatever ran before it.
    _seed()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call():
    _seed()  # what its fixtures drew, too


def _seed():
    import keras

    keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def _warm_converter():
    converter = warm.Converter()
    yield converter
    converter.close()


@pytest.fixture(scope="session", autouse=True)
def warm_conversions(_warm_converter):
    """Spares every conversion to full integers the import of TensorFlow.

    Tests of the process itself use `cold_conversions`.
    """
    from keras_moduli.export.conversion import calibration

    cold = calibration._process
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "_process", _warm_converter)
        yield cold


@pytest.fixture
def cold_conversions(monkeypatch, warm_conversions):
    """Conversions in processes of their own, as users have them."""
    from keras_moduli.export.conversion import calibration

    monkeypatch.setattr(calibration, "_process", warm_conversions)
