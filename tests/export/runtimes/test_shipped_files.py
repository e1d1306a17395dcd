"""Every kind of file on the runtimes that people ship to, beside the one here.

What LiteRT as installed answers, an export itself has compared with Keras.
"""

import importlib.metadata

import foreign
import play
import pytest
import runtimes
from shipped import CASES
from shipped import Shipped

pytestmark = pytest.mark.slow

# The oldest that setup.py allows, and the last before it.
OLD = ("2.0.2", "1.4.0")
ARM64 = (importlib.metadata.version("ai-edge-litert"), "2.0.2")
MICRO = [
    case
    for case in CASES
    if case.endswith("-streaming")
    and "-sparse-" not in case
    and "-int8-" not in case
]


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    found = Shipped(tmp_path_factory.mktemp("shipped"))
    found.write()
    return found


def answers_of(find, request, shipped, tmp_path_factory):
    """What all files give on another LiteRT, run once for all tests."""
    cache = request.config.cache.mkdir("litert")
    command, site = find(request.param, cache)
    target = tmp_path_factory.mktemp("answers")
    return foreign.Answers(command, site, shipped.folder, target)


@pytest.fixture(scope="module", params=OLD)
def old(request, shipped, tmp_path_factory):
    return answers_of(foreign.here, request, shipped, tmp_path_factory)


@pytest.fixture(scope="module", params=ARM64)
def arm64(request, shipped, tmp_path_factory):
    return answers_of(foreign.arm64, request, shipped, tmp_path_factory)


@pytest.mark.parametrize("case", CASES)
def test_an_old_litert(old, shipped, case):
    for answer in old.of(shipped.path(case)).values():
        shipped.check(case, answer)


@pytest.mark.parametrize("case", CASES)
def test_the_kernels_of_arm64(arm64, shipped, case):
    for answer in arm64.of(shipped.path(case)).values():
        shipped.check(case, answer)


@pytest.mark.parametrize("case", CASES)
def test_compiled_model(shipped, case):
    run = runtimes.compiled(shipped.path(case))
    shipped.check(case, play.answer(*run, shipped.x))


@pytest.mark.parametrize("case", MICRO)
def test_tflite_micro(shipped, case):
    run = runtimes.micro(shipped.path(case))
    shipped.check(case, play.answer(*run, shipped.x))
