"""The examples: of every public name, of every page and of the README.

An example finds `keras`, `keras_moduli`, `np`, `tfmot` and `tf_keras`
imported, and a small compiled `model`, its data `x` and `y`, some `batches`
and a `schedule`. Those of one docstring or page share what they define;
those of the README do not, as its sections stand alone.
"""

import dataclasses
import inspect
import os
import re
from pathlib import Path

import keras
import numpy as np
import pytest
from public_names import public_objects
from sybil.document import Document
from sybil.parsers.markdown import PythonCodeBlockParser
from sybil.parsers.markdown import SkipParser
from sybil.parsers.rest import DocTestParser

import keras_moduli

ROOT = Path(__file__).parents[2]
PUBLIC = public_objects()
PAGES = sorted((ROOT / "docs").glob("*.md"))
_FENCE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# These take seconds: they compile a training step, or convert a model.
_SLOW = re.compile(r"\.fit\(|export_|train_on_batch|Language\(")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")


@pytest.fixture
def namespace(here):
    """What examples find."""
    import tensorflow_model_optimization as tfmot
    import tf_keras

    keras.utils.clear_session()  # layers are named anew
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6, 4)),
            keras.layers.LSTM(
                16,
                recurrent_regularizer=keras_moduli.ModuliRegularizer(seed=0),
                name="lstm",
            ),
            keras.layers.Dense(2, name="dense"),
        ]
    )
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(128, 6, 4)).astype("float32")
    y = x[:, -1, :2]
    return {
        "keras": keras,
        "keras_moduli": keras_moduli,
        "np": np,
        "tfmot": tfmot,
        "tf_keras": tf_keras,
        "model": model,
        "x": x,
        "y": y,
        "batches": [(x[:32], y[:32])] * 3,
        "schedule": tfmot.sparsity.keras.ConstantSparsity(0.5, 0, frequency=1),
    }


def run(text, path, namespace, parsers):
    """Runs the examples in a text; returns how many there were."""
    document = Document(text, str(path))
    document.namespace.update(namespace)
    for parser in parsers:
        for region in parser(document):
            document.add(region)
    count = 0
    for example in document.examples():
        example.evaluate()
        count += 1
    return count


def docstring_of(name):
    return inspect.getdoc(PUBLIC[name]) or ""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=pytest.mark.slow if _SLOW.search(docstring_of(name)) else (),
        )
        for name in PUBLIC
    ],
)
def test_every_public_name_has_an_example_that_runs(name, here, request):
    text = docstring_of(name)
    namespace = {"keras": keras, "keras_moduli": keras_moduli, "np": np}
    if re.search(r"\b(model|layers|schedule|tfmot|tf_keras)\b", text):
        namespace = request.getfixturevalue("namespace")
    parsers = [PythonCodeBlockParser(), DocTestParser()]
    assert run(text, name, namespace, parsers), name


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_type_hints(name):
    for where, function in functions_of(name, PUBLIC[name]).items():
        signature = inspect.signature(function)
        bare = [
            p.name
            for p in signature.parameters.values()
            if p.annotation is p.empty and p.name not in ("self", "cls")
        ]
        assert not bare, (where, bare)
        assert signature.return_annotation is not signature.empty, where


def functions_of(name, item):
    """A function, or the public methods that a class adds, by name."""
    if inspect.isfunction(item):
        return {name: item}
    if dataclasses.is_dataclass(item):
        return {}  # mypy knows their fields
    return {
        f"{name}.{method}": function
        for method, function in vars(item).items()
        if inspect.isfunction(function)
        and (not method.startswith("_") or method in ("__init__", "__call__"))
    }


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page(page, namespace):
    text = page.read_text(encoding="utf-8")
    found = run(text, page, namespace, [SkipParser(), PythonCodeBlockParser()])
    assert found >= len(_FENCE.findall(text))


README = _FENCE.findall((ROOT / "README.md").read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(README)))
def test_the_examples_of_the_readme(number, namespace):
    code = README[number]
    namespace["pruning"] = keras_moduli.MagnitudePruning(namespace["schedule"])
    if "Embedding" in code:
        # The README's models read characters, the first for 2,000 steps.
        assert number or "end_step=2000" in code
        code = code.replace("end_step=2000", "end_step=20")
        namespace["x"] = np.zeros((4 * 32, 2), "int32")
        namespace["y"] = np.ones(4 * 32, "int32")
    exec(compile(code, f"README.md, example {number}", "exec"), namespace)
    assert os.listdir() or "export" not in code
