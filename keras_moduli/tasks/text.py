"""Text files as arrays of character codes."""

import dataclasses
import hashlib
import sysconfig
from pathlib import Path

import numpy as np

# Stands for every character too rare to be learnt.
UNKNOWN = "\N{REPLACEMENT CHARACTER}"


def standard_library(limit=4_000_000):
    """The Python standard library's own top-level modules, as text.

    Every machine with Python has them, so nothing is downloaded or shipped.

    Args:
        limit: Take files, in the order of their names, until they hold this
            many bytes.

    Returns:
        A list of `pathlib.Path`.
    """
    folder = Path(sysconfig.get_paths()["stdlib"])
    files, total = [], 0
    for file in sorted(folder.glob("*.py")):
        if total >= limit:
            break
        files.append(file)
        total += file.stat().st_size
    return files


def read(files):
    """Reads UTF-8 text files and joins them in the order given.

    Args:
        files: A list of paths, at least one.

    Returns:
        A string.

    Raises:
        ValueError: If a file cannot be read, is empty or is not UTF-8.
    """
    if not files:
        raise ValueError("`text` needs at least one file. Received: text=[]")
    return "".join(_read_one(Path(file)) for file in files)


def _read_one(file):
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ValueError(
            "`text` must name files that can be read: "
            f"{error.strerror or error}. Received: text='{file}'"
        ) from error
    if not content:
        raise ValueError(
            f"`text` must name files that hold text, but this one is empty. "
            f"Received: text='{file}'"
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            "`text` must be UTF-8, but byte "
            f"{error.start} (0x{content[error.start]:02x}) is not. Convert "
            "the file first, for example with `iconv -t utf-8`. "
            f"Received: text='{file}'"
        ) from error


class Vocabulary:
    """Characters and their codes.

    Args:
        characters: A string without repetitions. Code 0 is for every other
            character, code `i + 1` for `characters[i]`.
    """

    def __init__(self, characters):
        self.characters = characters
        points = np.array([ord(c) for c in characters], np.int64)
        self._codes = np.zeros(points.max(initial=0) + 2, np.int32)
        self._codes[points] = np.arange(1, len(points) + 1)

    @classmethod
    def of(cls, text, minimum_count=10):
        """The vocabulary of the characters that are not rare in a text."""
        points, counts = np.unique(_points(text), return_counts=True)
        frequent = points[counts >= minimum_count]
        return cls("".join(map(chr, frequent)))

    def __len__(self):
        return len(self.characters) + 1

    def encode(self, text):
        """A string as an int32 array of codes."""
        points = np.minimum(_points(text), len(self._codes) - 1)
        return self._codes[points]

    def decode(self, codes):
        """An array of codes as a string."""
        return "".join((UNKNOWN + self.characters)[code] for code in codes)


def _points(text):
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)


@dataclasses.dataclass(frozen=True)
class Corpus:
    """A text as codes, split into a training and a validation part.

    Attributes:
        vocabulary: A `Vocabulary` of the training part.
        training: Codes of the text's first part, `(length,)` int32.
        validation: Codes of its last part.
        digest: SHA-256 of the text, to know it again.
    """

    vocabulary: Vocabulary
    training: np.ndarray
    validation: np.ndarray
    digest: str

    @classmethod
    def of(cls, text, validation_share=0.05):
        """Splits a text; the last `validation_share` of it validates."""
        split = len(text) - round(validation_share * len(text))
        vocabulary = Vocabulary.of(text[:split])
        return cls(
            vocabulary=vocabulary,
            training=vocabulary.encode(text[:split]),
            validation=vocabulary.encode(text[split:]),
            digest=hashlib.sha256(text.encode("utf-8")).hexdigest(),
        )
