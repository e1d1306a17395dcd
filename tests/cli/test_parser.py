import re

import keras
import pytest

import keras_moduli
from keras_moduli.cli import parser
from keras_moduli.version import __version__


def run(capsys, *arguments):
    """The exit status and what was printed."""
    try:
        status = parser.main([str(argument) for argument in arguments])
    except SystemExit as exit:
        status = exit.code
    return status, capsys.readouterr()


@pytest.fixture
def files(tmp_path):
    contents = {
        "good.txt": b"the cat sat on the mat, and the dog did not. " * 100,
        "empty.txt": b"",
        "latin.txt": "gr\xfc\xdfe ".encode("latin-1") * 1000,
        "short.txt": b"short",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").write_text("words")
    return tmp_path


BAD = [
    (["fly"], "invalid choice: 'fly'"),
    (["train"], "required: TASK"),
    (["train", "language"], "required: --out"),
    (["train", "chess", "--out", "OUT"], "`task` must be one of"),
    (["train", "language", "--out", "OUT", "--units", "x"], "invalid int"),
    (["train", "language", "--out", "OUT", "--units", "0"], "`units`"),
    (["train", "language", "--out", "OUT", "--space", "tours"], "torus"),
    (
        ["train", "language", "--out", "OUT", "--inhibitor", "dog"],
        "difference_of_gaussians",
    ),
    (["train", "language", "--out", "OUT", "--factor", "-1"], "`factor`"),
    (["train", "language", "--out", "OUT", "--factor", "inf"], "`factor`"),
    (["train", "language", "--out", "OUT", "--sparsity", "1"], "`sparsity`"),
    (["train", "language", "--out", "OUT", "--steps", "0"], "`steps`"),
    (
        ["train", "language", "--out", "OUT", "--weights", "nothing"],
        "selects nothing",
    ),
    (
        ["train", "language", "--out", "OUT", "--block-size", "3", "1"],
        "must divide",
    ),
    (
        ["train", "language", "--out", "OUT", "--text", "missing.txt"],
        "can be read",
    ),
    (["train", "language", "--out", "OUT", "--text", "empty.txt"], "empty"),
    (["train", "language", "--out", "OUT", "--text", "latin.txt"], "UTF-8"),
    (["train", "language", "--out", "OUT", "--text", "short.txt"], "short"),
    (["train", "language", "--out", "folder"], "not touched"),
    (["train", "language", "--out", "folder", "--overwrite"], "not touched"),
    (
        ["train", "language", "--out", "folder", "--resume"],
        "no folder of keras-moduli",
    ),
    (
        ["train", "language", "--out", "OUT", "--resume"],
        "no folder of keras-moduli",
    ),
    (["train", "language", "--out", "good.txt"], "file stands there"),
    (["train", "language", "--out", "good.txt/run"], "writable"),
    (["train", "language", "--out", "/proc/run"], "/proc"),
    (["train", "language", "--out", "OUT", "--preset", "huge"], "`preset`"),
    (["train", "language", "--out", "OUT", "--cells", "9"], "cells=9"),
    (
        "train language --out OUT --preset small --factor 1".split(),
        "fixed from the first step",
    ),
    (
        "train language --out OUT --preset small --block-size 4 1".split(),
        "fixed from the first step",
    ),
    (["train", "language", "--out", "OUT", "--control", "l3"], "`control`"),
    (["train", "language", "--out", "OUT", "--points", "here"], "`points`"),
    (["train", "language", "--out", "OUT", "--level", "line"], "`level`"),
    (["train", "language", "--out", "OUT", "--recipe", "soup"], "`recipe`"),
    (["train", "language", "--out", "OUT", "--layers", "0"], "`layers`"),
    (["train", "language", "--out", "OUT", "--ranking", "fair"], "`ranking`"),
    (["train", "seasons", "--out", "OUT", "--data", "no.csv"], "`data`"),
    (["train", "seasons", "--out", "OUT", "--data", "good.txt"], "numbers"),
    (["train", "seasons", "--out", "OUT", "--warm-up", "99"], "`warm_up`"),
    (["train", "language", "--out", "OUT", "--minutes", "0"], "`minutes`"),
    (["train", "adding", "--out", "OUT", "--minutes", "x"], "invalid float"),
    (
        *(["train", "adding", "--out", "OUT", "--trainable", "--control"],),
        "expected one argument",
    ),
    (
        ["train", "adding", "--trainable", "--control", "l1", "--out", "OUT"],
        "`trainable`",
    ),
    (
        ["train", "adding", "--out", "OUT", "--pruning-end", "2"],
        "`pruning_end`",
    ),
    (
        ["train", "adding", "--out", "OUT", "--units", "1000000"],
        "too large",
    ),
    (["sweep", "chess", "--out", "OUT"], "`task` must be one of"),
    (["sweep", "adding", "--out", "OUT", "--seeds", "0"], "`seeds`"),
    (["sweep", "adding", "--out", "OUT", "--jobs", "0"], "`jobs`"),
    (["sweep", "adding", "--out", "OUT", "--space", "torus,"], "`space`"),
    (["sweep", "adding", "--out", "OUT", "--factor", "1,x"], "list of float"),
    (["sweep", "adding", "--out", "OUT", "--control", "l3"], "`control`"),
    (["sweep", "adding", "--out", "folder"], "not touched"),
    (["sweep", "adding", "--out", "OUT", "--only-controls"], "`control`"),
    (["sweep", "adding", "--out", "OUT", "--minutes", "-1"], "`minutes`"),
    (["table", "folder"], "no folder of"),
    (["table", "OUT"], "no folder of"),
    (["plot", "folder"], "no folder of"),
    (["export", "none.keras", "OUT.tflite"], "`model.save` wrote"),
    (["export", "good.txt", "OUT.tflite", "--c-array", "h"], "end with '.h'"),
    (["export", "good.txt", "OUT.tflite", "--c-array", "f/h.h"], "folder of"),
    (["export", "good.txt", "OUT.tflite", "--runtime", "pc"], "invalid choice"),
    (["export", "good.txt", "OUT.tflite"], "`model` must be"),
    (
        ["train", "language", "--out", "OUT", "--resume", "--overwrite"],
        "not allowed with",
    ),
]


def case(arguments, message):
    # TensorFlow waits ten seconds for memory that there is not.
    marks = [pytest.mark.slow] if message == "too large" else []
    return pytest.param(arguments, message, id=" ".join(arguments), marks=marks)


@pytest.mark.parametrize(
    ("arguments", "message"), [case(*each) for each in BAD]
)
def test_bad_input_is_one_line_and_nothing_else(
    capsys, monkeypatch, files, arguments, message
):
    monkeypatch.chdir(files)
    before = sorted(files.rglob("*"))
    if "language" in arguments and "OUT" in arguments:
        for option, usual in (("--text", "good.txt"), ("--preset", "pruned")):
            if option not in arguments:
                arguments = [*arguments, option, usual]
    status, printed = run(capsys, *arguments)
    assert status == 2
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert re.match(r"keras-moduli( train| sweep| export)?: error: ", line)
    assert message in line
    assert sorted(files.rglob("*")) == before


def test_help_of_the_program(capsys):
    status, printed = run(capsys, "--help")
    assert status == 0
    assert "train" in printed.out


def test_version(capsys):
    status, printed = run(capsys, "--version")
    assert (status, printed.out) == (0, f"keras-moduli {__version__}\n")


def test_inspect(capsys, tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    keras_moduli.export_tflite(model, tmp_path / "model.tflite")
    status, printed = run(capsys, "inspect", tmp_path / "model.tflite")
    assert status == 0
    assert "FULLY_CONNECTED" in printed.out
    status, printed = run(capsys, "inspect", tmp_path / "none.tflite")
    assert status == 2
    assert "none.tflite" in printed.err
