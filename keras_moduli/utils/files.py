"""Files and folders that appear whole or not at all."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path


@contextlib.contextmanager
def atomic_path(path):
    """Gives a temporary path that takes the name `path` on success.

    The temporary file or folder stands in a hidden folder beside `path`, on
    the same file system, so that the last step is one rename. If the body
    raises, what it wrote is removed and whatever stood at `path` stays. A
    process killed in the body leaves the hidden folder, never a half-written
    `path`.

    Args:
        path: Where the file or folder is to appear. Its parent must exist.

    Yields:
        A `pathlib.Path` with the same name, in the temporary folder. The body
        must create a file or a folder there.

    Example:

    ```python
    with atomic_path("report.md") as temporary:
        temporary.write_text("all or nothing")
    ```
    """
    path = Path(path)
    scratch = Path(
        tempfile.mkdtemp(
            prefix=f".{path.name}.", suffix=".tmp", dir=path.parent
        )
    )
    try:
        temporary = scratch / path.name
        yield temporary
        _flush(temporary)
        _replace(temporary, path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_text(path, text):
    """Writes `text` to `path` as UTF-8, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def size_of(path):
    """The bytes of a file, or of all files in a folder."""
    path = Path(path)
    if path.is_file():
        return path.stat().st_size
    return sum(f.stat().st_size for f in path.rglob("*") if f.is_file())


def stamps(paths):
    """Sizes and times of files, which tell whether they have changed.

    Files that are not there are left out.
    """
    found = (os.stat(path) for path in paths if os.path.exists(path))
    return tuple((each.st_size, each.st_mtime_ns) for each in found)


def _flush(path):
    """Asks the system to put what was written on the disk."""
    for file in [path] if path.is_file() else path.rglob("*"):
        if file.is_file():
            with open(file, "rb") as handle:
                os.fsync(handle.fileno())


def _replace(source, target):
    """Renames `source` to `target`, over whatever stands there."""
    if target.is_dir() and not target.is_symlink():
        # A folder cannot be renamed over one that holds files: the old one
        # steps aside first, and comes back if the rename fails.
        aside = source.parent / (target.name + ".old")
        os.replace(target, aside)
        try:
            os.replace(source, target)
        except OSError:
            os.replace(aside, target)
            raise
    else:
        os.replace(source, target)
