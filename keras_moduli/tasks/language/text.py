"""Text files as arrays of codes, of characters or of words."""

import collections
import dataclasses
import hashlib
import sysconfig
from pathlib import Path

import numpy as np

# Stand for every character and word too rare to be learnt.
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
UNKNOWN_WORD = "<unk>"
END_OF_LINE = "<eos>"


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

    @property
    def symbols(self):
        """What every code stands for, a list of strings."""
        return [UNKNOWN, *self.characters]

    def decode(self, codes):
        """An array of codes as a string."""
        symbols = self.symbols
        return "".join(symbols[code] for code in codes)


def _points(text):
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)


class Words:
    """Words and their codes.

    Args:
        words: A list without repetitions. Code 0 is for every other word and
            for `"<unk>"`, code `i + 1` for `words[i]`.
    """

    def __init__(self, words):
        self.symbols = [UNKNOWN_WORD, *words]
        self._codes = {word: code for code, word in enumerate(self.symbols)}

    @classmethod
    def of(cls, words, minimum_count=3):
        """The words that are not rare, the most frequent first."""
        counts = collections.Counter(words)
        del counts[UNKNOWN_WORD]
        return cls([w for w, n in counts.most_common() if n >= minimum_count])

    def __len__(self):
        return len(self.symbols)

    def encode(self, words):
        """A list of words as an int32 array of codes."""
        return np.array([self._codes.get(word, 0) for word in words], np.int32)


def words_of(text):
    """The words of a text: what stands between spaces, and ends of lines."""
    lines = text.splitlines()
    return [word for line in lines for word in (*line.split(), END_OF_LINE)]


# Level: (what a vocabulary is made of, the vocabulary).
LEVELS = {"character": (str, Vocabulary), "word": (words_of, Words)}


@dataclasses.dataclass(frozen=True)
class Corpus:
    """A text as codes, in a training, a validation and a test part.

    Attributes:
        vocabulary: A `Vocabulary` or `Words` of the training part.
        training: Codes of the text's first part, `(length,)` int32.
        validation: Codes of the part that follows.
        test: Codes of its last part.
        digest: SHA-256 of the text, to know it again.
    """

    vocabulary: object
    training: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    digest: str

    @classmethod
    def of(cls, text, level="character", share=0.05):
        """Splits a text; two parts of `share` each validate and test.

        Args:
            text: A string.
            level: `"character"` or `"word"`.
            share: A fraction.
        """
        split, kind = LEVELS[level]
        symbols = split(text)
        held_out = round(share * len(symbols))
        end = len(symbols) - 2 * held_out
        vocabulary = kind.of(symbols[:end])
        return cls(
            vocabulary=vocabulary,
            training=vocabulary.encode(symbols[:end]),
            validation=vocabulary.encode(symbols[end : end + held_out]),
            test=vocabulary.encode(symbols[end + held_out :]),
            digest=hashlib.sha256(text.encode("utf-8")).hexdigest(),
        )

    def __len__(self):
        return len(self.training) + len(self.validation) + len(self.test)

    def trivial(self):
        """The mean cross-entropy, in nats, of the test part under the
        frequencies of the training part.
        """
        counts = np.bincount(self.training, minlength=len(self.vocabulary))
        counts = counts + 1.0  # so that nothing is impossible
        return float(-np.log(counts / counts.sum())[self.test].mean())
