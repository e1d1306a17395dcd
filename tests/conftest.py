"""What tests of several rooms share."""
# ruff: noqa: E402 - the environment must be set before imports

import functools
import gc
import os
import tempfile
from pathlib import Path

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

import keras
import pytest
import warm

from keras_moduli.export.conversion import calibration

COLD = calibration._process
COLLECT = gc.collect
# TensorFlow's converter calls it at every export, a tenth of a small one's time
# where earlier tests have left something. All garbage goes with each module.
gc.collect = functools.partial(COLLECT, 1)


# Rooms whose modules take longest: two processes end together if these begin.
LONG = ("experiments", "whole")


def pytest_collection_modifyitems(items):
    tests = Path(__file__).parent
    items.sort(key=lambda i: i.path.relative_to(tests).parts[0] not in LONG)


def pytest_collection_finish():
    # TensorFlow's converter collects garbage at every export, and goes through
    # all that was ever imported: nearly half of an export's time.
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _forgotten():
    """Leaves nothing of a module for later ones' garbage collections."""
    yield
    keras.backend.clear_session()
    COLLECT()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    # What a test draws is the same whatever ran before it.
    keras.utils.set_random_seed(0)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call():
    keras.utils.set_random_seed(0)  # what its fixtures drew, too


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
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "_process", _warm_converter)
        yield


@pytest.fixture
def cold_conversions(monkeypatch):
    """Conversions in processes of their own, as users have them."""
    monkeypatch.setattr(calibration, "_process", COLD)
