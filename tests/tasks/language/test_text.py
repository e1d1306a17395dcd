import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_moduli.tasks.language.text import UNKNOWN
from keras_moduli.tasks.language.text import Corpus
from keras_moduli.tasks.language.text import Vocabulary
from keras_moduli.tasks.language.text import Words
from keras_moduli.tasks.language.text import read
from keras_moduli.tasks.language.text import standard_library
from keras_moduli.tasks.language.text import words_of

# Any text that a UTF-8 file can hold: no lone surrogates.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXTS)
def test_a_text_with_every_character_known_comes_back(text):
    vocabulary = Vocabulary.of(text, minimum_count=1)
    codes = vocabulary.encode(text)
    assert vocabulary.decode(codes) == text
    assert len(vocabulary) == len(set(text)) + 1
    assert codes.dtype == np.int32
    assert np.all((0 < codes) & (codes < len(vocabulary)))


@given(TEXTS, TEXTS)
def test_unknown_characters_have_code_zero(known, text):
    vocabulary = Vocabulary.of(known, minimum_count=1)
    codes = vocabulary.encode(text)
    for character, code in zip(text, codes, strict=True):
        assert (code == 0) == (character not in known)
    expected = "".join(c if c in known else UNKNOWN for c in text)
    assert vocabulary.decode(codes) == expected


def test_rare_characters_are_unknown():
    vocabulary = Vocabulary.of("a" * 10 + "b" * 9 + "\U0001f600")
    assert vocabulary.decode(vocabulary.encode("ab\U0001f600")) == (
        "a" + 2 * UNKNOWN
    )


def test_the_last_parts_of_a_text_validate_and_test():
    text = "".join(chr(97 + i % 26) for i in range(1000))
    corpus = Corpus.of(text)
    decode = corpus.vocabulary.decode
    assert decode(corpus.training) == text[:900]
    assert decode(corpus.validation) == text[900:950]
    assert decode(corpus.test) == text[950:]
    assert corpus.digest == hashlib.sha256(text.encode()).hexdigest()


def test_the_vocabulary_knows_nothing_of_the_validation_part():
    corpus = Corpus.of("a" * 900 + "z" * 100)
    assert corpus.vocabulary.characters == "a"
    assert np.all(corpus.validation == 0)
    assert np.all(corpus.test == 0)


def test_read_joins_files_in_the_order_given(tmp_path):
    for name, text in (("a", "später\r\n"), ("b", "früher\n")):
        (tmp_path / name).write_bytes(text.encode())
    assert read([tmp_path / "b", tmp_path / "a"]) == "früher\nspäter\r\n"


def test_the_standard_library_is_python_source():
    files = standard_library()
    assert all(file.suffix == ".py" for file in files)
    assert Path(hashlib.__file__).resolve() in [f.resolve() for f in files]
    assert len(read(files)) > 1_000_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "can be read: No such file"),
        (b"", "this one is empty"),
        (b"abc\xff", r"byte 3 \(0xff\) is not"),
        ("schön".encode("latin-1"), "UTF-8"),
        ("text".encode("utf-16"), "UTF-8"),
    ],
)
def test_files_that_are_no_text_are_refused(tmp_path, content, message):
    file = tmp_path / "broken.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read([file])
    assert str(file) in str(error.value)


def test_a_folder_and_no_file_are_refused(tmp_path):
    with pytest.raises(ValueError, match="can be read"):
        read([tmp_path])
    with pytest.raises(ValueError, match="at least one file"):
        read([])


def test_words_lines_and_the_unknown():
    text = "a b a\nb a <unk>\n" * 3 + "rare\n"
    words = words_of(text)
    assert words[:4] == ["a", "b", "a", "<eos>"]
    vocabulary = Words.of(words)
    assert vocabulary.symbols == ["<unk>", "a", "<eos>", "b"]
    codes = vocabulary.encode(["b", "rare", "<unk>", "a"])
    np.testing.assert_array_equal(codes, [3, 0, 0, 1])
