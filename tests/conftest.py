"""What tests of several rooms share."""

import gc

import pytest
import warm


def pytest_collection_finish():
    # TensorFlow's converter collects garbage at every export, and goes through
    # all that was ever imported: nearly half of an export's time.
    gc.freeze()


@pytest.fixture(scope="session")
def _warm_converter():
    converter = warm.Converter()
    yield converter
    converter.close()


@pytest.fixture
def warm_conversions(_warm_converter, monkeypatch):
    """Spares every conversion to full integers the import of TensorFlow."""
    process = "keras_moduli.export.conversion.calibration._process"
    monkeypatch.setattr(process, _warm_converter)
