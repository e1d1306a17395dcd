"""The package as a whole: its import, its names, its files."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from command import on

import keras_moduli

ROOT = Path(__file__).parents[2]

PUBLIC = """
    ModuliRegularizer MagnitudePruning OncePruned PruningGroup sparsity
    export_saved_model export_tflite masks_of apply_masks remove_masks
    save_masks load_masks dead_units shrink spaces inhibitors patterns keras2
    layers
    curves EmbeddingLearningRate SparsityTensorBoard __version__
""".split()


def test_public_names():
    for name in PUBLIC:
        assert hasattr(keras_moduli, name), name


def added_by_our_import(backend):
    """What it brings that Keras has not brought before."""
    output = subprocess.run(
        [
            sys.executable,
            "-c",
            "import gc, sys\n"
            "gc.disable()\n"
            "import keras\n"
            "plain = set(sys.modules)\n"
            "import keras_moduli\n"
            "print(*(set(sys.modules) - plain))",
        ],
        check=True,
        capture_output=True,
        text=True,
        env=on(backend),
    ).stdout
    return set(output.splitlines()[-1].split())


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_the_import_is_light(backend):
    modules = added_by_our_import(backend)
    assert "keras_moduli" in modules
    added = {name.split(".")[0] for name in modules}
    heavy = {
        "tensorflow", "tensorflow_model_optimization", "tf_keras", "jax",
        "torch", "matplotlib", "ai_edge_litert", "rich", "scipy", "sklearn",
        "ripser", "tensorboard",
    }  # fmt: skip
    assert not added & (heavy - {backend})


def test_no_private_imports():
    for file in (ROOT / "keras_moduli").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"keras\.src|tensorflow\.python", text), file


def test_the_version_is_in_the_changelog():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version = keras_moduli.__version__
    assert f"## [{version}]" in changelog or (
        "dev" in version and "## [Unreleased]" in changelog
    )


@pytest.mark.parametrize("name", ["README.md", "RESULTS.md"])
def test_links_lead_to_what_exists(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "@@" not in text
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
