"""LiteRT of other versions, and of another processor, in other processes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import play
import pytest

# The root of an ARM64 system with a Python, as `.ci/arm64_root` makes one.
ARM64 = "KERAS_MODULI_ARM64"


class Answers:
    """What another LiteRT answers to all files of a folder.

    Args:
        python: The command that runs its Python.
        site: The folder with its packages.
        folder: The files, and the input.
        target: Where its answers go.
    """

    def __init__(self, python, site, folder, target):
        self._target = target
        done = subprocess.run(
            [*python, play.__file__, folder, target],
            env={**os.environ, "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            check=False,
        )
        self._end = f"exit {done.returncode}: {done.stderr[-500:]}"

    def of(self, path):
        """A dict from each way to run a file to what it gave."""
        found = {}
        for way in play.WAYS:
            place = self._target / f"{path.stem}.{way}"
            error = place.with_name(f"{place.name}.txt")
            assert not error.exists(), f"{way}: {error.read_text()}"
            answer = place.with_name(f"{place.name}.npy")
            assert answer.exists(), f"{way}: no answer, {self._end}"
            found[way] = np.load(answer)
        return found


def here(version, cache):
    """This Python with another LiteRT: its command and its packages."""
    requirement = f"ai-edge-litert=={version}"
    site = _installed(cache / version, ["--no-deps", requirement])
    return [sys.executable], site


def arm64(version, cache):
    """An ARM64 Python with a LiteRT, in an emulator."""
    root = os.environ.get(ARM64)
    if not root:
        pytest.skip(f"{ARM64} names no folder: see .ci/arm64_root")
    # The root's own, which is new enough, before that of the system.
    path = os.pathsep.join([root, os.environ["PATH"]])
    qemu = shutil.which("qemu-aarch64", path=path)
    if not qemu:
        pytest.skip("there is no qemu-aarch64")
    (python,) = Path(root).glob("usr/bin/python3.[0-9][0-9]")
    site = _installed(
        cache / f"arm64-{version}",
        [
            "--only-binary=:all:",
            f"--python-version={python.name.removeprefix('python')}",
            *[
                f"--platform=manylinux{glibc}_aarch64"
                for glibc in ("_2_28", "_2_27", "_2_17", "2014")
            ],
            "--no-deps",
            "numpy",
            f"ai-edge-litert=={version}",
        ],
    )
    return [qemu, "-L", root, str(python)], site


def _installed(site, arguments):
    """A folder with packages, which pip brings once."""
    if site.is_dir():
        return site
    part = site.with_name(f"{site.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    done = subprocess.run(
        [*pip, "--target", part, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        # No network, or no wheel for this Python.
        pytest.skip(f"pip does not bring it: {done.stderr.strip()[-200:]}")
    return part.rename(site)
