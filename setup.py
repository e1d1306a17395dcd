"""The metadata of the package; tool settings are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages
from setuptools import setup

ROOT = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"$',
    (ROOT / "keras_moduli" / "version.py").read_text(encoding="utf-8"),
    re.MULTILINE,
).group(1)

REPOSITORY = "https://github.com/keras-moduli/keras-moduli"


def readme():
    """README.md with absolute links: the package index has no files to it."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    raw, page = f"{REPOSITORY}/raw/main/", f"{REPOSITORY}/blob/main/"
    text = re.sub(r"(!\[[^]]*\]\()(?!https?:)", rf"\1{raw}", text)
    return re.sub(r"((?<!!)\[[^]]*\]\()(?!https?:|#)", rf"\1{page}", text)


setup(
    name="keras-moduli",
    version=VERSION,
    description=(
        "Geometric sparsity for recurrent Keras models, from one argument "
        "to a small and verified .tflite file."
    ),
    long_description=readme(),
    long_description_content_type="text/markdown",
    url=REPOSITORY,
    project_urls={
        "Source": REPOSITORY,
        "Changelog": f"{REPOSITORY}/blob/main/CHANGELOG.md",
        "Results": f"{REPOSITORY}/blob/main/RESULTS.md",
        "Paper": "https://arxiv.org/abs/2406.06290",
    },
    license="Apache-2.0",
    license_files=["LICENSE"],
    packages=find_packages(include=["keras_moduli", "keras_moduli.*"]),
    py_modules=["keras_moduli_command"],
    package_data={"keras_moduli": ["py.typed"]},
    python_requires=">=3.11,<3.14",
    install_requires=[
        "keras>=3.12",
        "numpy>=1.26",
        "tensorflow>=2.20",
        "tensorflow-model-optimization>=0.8.1",
        "tf_keras>=2.20",
        "ai-edge-litert>=2.0",
        "matplotlib>=3.8",
        "rich>=13.7",
    ],
    extras_require={
        "ray": ["ray>=2.40"],
        "plot": ["matplotlib>=3.8"],
        "tensorboard": ["tensorboard>=2.16"],
        "micro": ["tflite-micro"],
        "tda": ["ripser>=0.6.10", "scikit-learn>=1.4"],
        "seasons": ["autots>=1.0"],
        "notebooks": [
            "ripser>=0.6.10",
            "scikit-learn>=1.4",
            "ratinabox>=1.15",  # its recordings of rats
            "ipykernel>=6.29",
            "papermill>=2.6",
        ],
        "test": [
            "pytest>=8",
            "pytest-xdist>=3.6",
            "hypothesis>=6.100",
            "tensorboard>=2.16",
            "sybil>=9",  # runs the examples of docstrings and pages
            "ruff>=0.12",
            # Oracles: other people's distances and homology.
            "geomstats>=2.8",
            "numpy<2.4",  # geomstats 2.8 uses np.trapz
            "ripser>=0.6.10",
            "scikit-learn>=1.4",
            "scipy>=1.11",
            "autots>=1.0",  # the data of the task "seasons"
            # The notebooks run as tests.
            "ipykernel>=6.29",
            "papermill>=2.6",
            "ratinabox>=1.15",
            "tflite-micro",  # what files for microcontrollers run on
            "jax>=0.6",  # the same masks and penalties on another backend
        ],
        "docs": ["sphinx>=8", "myst-nb>=1.2", "furo>=2024.8"],
        "dev": [
            "keras-moduli[test]",
            "build>=1.2",
            "import-linter>=2.1",
            "mypy>=1.14",
            "playwright>=1.40",  # drives a Chromium, where there is one
            "pre-commit>=4",
            "pytest-cov>=6",
            "twine>=6",
        ],
    },
    entry_points={
        "console_scripts": ["keras-moduli = keras_moduli_command:main"],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "License :: OSI Approved :: Apache Software License",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
)
