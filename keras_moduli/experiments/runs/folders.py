"""Folders that belong to one set of settings, and survive being killed."""

import json
import os
import shutil
import tempfile
from pathlib import Path

from keras_moduli.utils.files import write_text
from keras_moduli.version import __version__

_SETTINGS = "settings.json"
# Of what stands in a folder. Counted up when runs of before can no longer be
# gone on with; folders without a number are of the first.
FORMAT = 1


def check_new(folder, overwrite=False):
    """Raises unless `create` may make this folder.

    Args:
        folder: A path.
        overwrite: Whether a folder that `create` made may be replaced. Any
            other folder with something in it is never touched.

    Raises:
        ValueError: If something stands there, or nothing can be written.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(
            f"`out` must be a folder, but a file stands there. "
            f"Received: out='{folder}'"
        )
    if folder.exists() and not all(map(_is_stale, folder.iterdir())):
        if not is_run(folder):
            raise ValueError(
                "`out` holds files, but no run of keras-moduli, so it is not "
                f"touched. Choose another folder. Received: out='{folder}'"
            )
        if not overwrite:
            raise ValueError(
                "`out` already holds a run. Go on with it (--resume), replace "
                "it (--overwrite) or choose another folder. "
                f"Received: out='{folder}'"
            )
    existing = next(
        p for p in [folder, *folder.absolute().parents] if p.exists()
    )
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise ValueError(
            f"`out` must be writable, but '{existing}' is not. "
            f"Received: out='{folder}'"
        )


def create(folder, document):
    """Makes a folder that holds nothing but its settings.

    A run that stood there is removed first, in one step.

    Args:
        folder: A path that `check_new` has let pass.
        document: JSON-able settings, a dict.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        aside = tempfile.mkdtemp(
            prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent
        )
        os.replace(folder, aside)
        shutil.rmtree(aside)
    folder.mkdir(parents=True, exist_ok=True)
    marks = {"keras_moduli": __version__, "format": FORMAT}
    write_json(folder / _SETTINGS, {**marks, **document})


def is_run(folder):
    """Whether `create` has made this folder."""
    return (Path(folder) / _SETTINGS).is_file()


def load(folder, any_format=False):
    """The settings of a folder that `create` made.

    Args:
        folder: A path.
        any_format: Whether folders of other formats are read too: their
            results count, but they cannot be gone on with.

    Raises:
        ValueError: If there are none, or they are of another format.
    """
    file = Path(folder) / _SETTINGS
    try:
        document = read_json(file)
    except (OSError, ValueError):
        document = None
    if not isinstance(document, dict) or "keras_moduli" not in document:
        raise ValueError(
            f"This is no folder of keras-moduli: '{file}' is missing or holds "
            f"something else. Received: '{folder}'"
        )
    version = document.pop("keras_moduli")
    found = document.pop("format", 1)
    if found != FORMAT and not any_format:
        raise ValueError(
            f"This folder has format {found}, of keras-moduli {version}, and "
            f"this version goes on with format {FORMAT}. Start it again, or "
            f"use that version. Received: '{folder}'"
        )
    return document


def clean(folder):
    """Removes the hidden temporary folders that killed processes left."""
    folder = Path(folder)
    stale = [*folder.parent.glob(f".{folder.name}.*.tmp")]
    for path in [*stale, *folder.rglob(".*.tmp")]:
        shutil.rmtree(path, ignore_errors=True)


def _is_stale(path):
    """Whether this is what a process left that was killed while writing."""
    return path.name.startswith(".") and path.name.endswith(".tmp")


def write_json(path, value):
    """Writes JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path):
    """What stands in a JSON file.

    Raises:
        ValueError: If it is no JSON; the message names it.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"This file is damaged: remove the folder it stands in, and start "
            f"again. Received: '{path}', {error}"
        ) from error
