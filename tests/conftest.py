"""What tests of several rooms share."""

import gc
from pathlib import Path

import keras
import pytest
import warm

from keras_moduli.export.conversion import calibration

COLD = calibration._process


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
    gc.collect()
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
