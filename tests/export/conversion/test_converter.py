"""The converter: what it does to its process besides."""

import gc

import pytest

from keras_moduli.export.conversion import converter
from keras_moduli.export.conversion.converter import _garbage_of_before_left


@pytest.fixture
def unfrozen(monkeypatch):
    """No frozen objects, as in processes that know nothing of this."""
    monkeypatch.setattr(converter, "_FROZEN", False)
    gc.unfreeze()
    yield
    gc.freeze()  # what conftest.py did


def test_what_is_there_is_frozen_for_so_long(unfrozen):
    with _garbage_of_before_left():
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0
    with pytest.raises(MemoryError), _garbage_of_before_left():
        raise MemoryError
    assert gc.get_freeze_count() == 0


def test_what_others_froze_stays_frozen(unfrozen):
    gc.freeze()
    with _garbage_of_before_left():
        pass
    assert gc.get_freeze_count() > 0
