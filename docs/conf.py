"""How `sphinx-build -W docs docs/_build` makes the documentation."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE / "_ext")]

from keras_moduli import __version__  # noqa: E402

project = "keras_moduli"
author = "the keras_moduli authors"
copyright = "the keras_moduli authors, Apache-2.0"
version = release = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "keras_docstrings",
]
exclude_patterns = ["_build", "**.ipynb_checkpoints", "browser/node_modules"]
if not (ROOT / "notebooks" / "quickstart.ipynb").exists():
    exclude_patterns.append("notebooks.md")
if importlib.util.find_spec("keras_moduli.topology") is None:
    exclude_patterns.append("api/topology.md")

html_theme = "furo"
html_title = f"keras_moduli {version}"

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
# Notebooks are shown as they were committed; their own test executes them.
nb_execution_mode = "off"

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings tell types, with shapes
autodoc_default_options = {"members": True}
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Reference"]


def _copy_notebooks():
    """Sphinx reads what lies below this folder only."""
    target = HERE / "notebooks"
    shutil.rmtree(target, ignore_errors=True)
    if (ROOT / "notebooks").is_dir():
        shutil.copytree(
            ROOT / "notebooks",
            target,
            ignore=shutil.ignore_patterns(".*", "__pycache__"),
        )


_copy_notebooks()
