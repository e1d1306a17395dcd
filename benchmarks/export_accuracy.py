"""What the fast patterns cost in accuracy, on the language task.

    python benchmarks/export_accuracy.py results.jsonl            # hours
    python benchmarks/export_accuracy.py results.jsonl --quick    # minutes

Trains one character model for every pattern, regulariser and seed, all at the
same density, and prints validation bits per character. A run that stands in
the file of results is not done again, so that the command can be stopped and
taken up again. How strong a penalty is best is not known beforehand: try
several with `--factor` and `--seeds 1` first.
"""

import argparse
import itertools
import json
from pathlib import Path

import keras
import numpy as np

from keras_moduli import MagnitudePruning
from keras_moduli import ModuliRegularizer
from keras_moduli.patterns import Blocks
from keras_moduli.patterns import Tiles
from keras_moduli.patterns import Unstructured
from keras_moduli.tasks.language.task import Language

SPARSITY = 0.875


def patterns(tile):
    return {
        "unstructured": Unstructured(),
        "(4,1) blocks": Blocks((4, 1)),
        "(16,1) blocks": Blocks((16, 1)),
        f"tiles of {tile}": Tiles(tile),
    }


REGULARIZERS = {
    "none": lambda factor, seed: None,
    "L1": lambda factor, seed: ModuliRegularizer(
        factor=factor, seed=seed, control="matched_l1"
    ),
    "torus, random": lambda factor, seed: ModuliRegularizer(
        factor=factor, seed=seed
    ),
    "torus, ordered": lambda factor, seed: ModuliRegularizer(
        factor=factor, seed=seed, points="ordered"
    ),
}


def bits(task, pattern, regularizer, steps, seed):
    """Validation bits per character of one run."""
    keras.utils.set_random_seed(seed)
    model = task.model(steps, regularizer)
    model.fit(
        task.training(seed, 0),
        steps_per_epoch=steps,
        epochs=1,
        callbacks=[
            MagnitudePruning(
                final_sparsity=SPARSITY, pattern=pattern, begin=0.1, end=0.6
            )
        ],
        shuffle=False,
        verbose=0,
    )
    result = model.evaluate(
        *task.validation, batch_size=64, verbose=0, return_dict=True
    )
    return result[task.metric]


def table(rows, tile):
    """A Markdown table: patterns down, regularizers across."""
    lines = [
        "| pattern | " + " | ".join(REGULARIZERS) + " |",
        "|---" * (1 + len(REGULARIZERS)) + "|",
    ]
    for pattern in patterns(tile):
        cells = []
        for name in REGULARIZERS:
            values = [
                row["bits"]
                for row in rows
                if (row["pattern"], row["regularizer"]) == (pattern, name)
            ]
            cells.append(
                f"{np.mean(values):.3f} ({min(values):.3f} to "
                f"{max(values):.3f})"
                if values
                else "-"
            )
        lines.append(f"| {pattern} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def load(file):
    """The runs that are done, a list of dicts."""
    if not file.exists():
        return []
    return [json.loads(row) for row in file.read_text().splitlines()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--units", type=int, default=512)
    parser.add_argument("--tile", type=int, default=64)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--sequence-length", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--factor", type=float, default=0.03)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    if given.quick:
        given.units, given.tile, given.steps, given.seeds = 64, 16, 60, 1
    task = Language(
        units=given.units,
        batch_size=given.batch_size,
        sequence_length=given.sequence_length,
    )
    settings = [
        *(given.units, given.tile, given.steps),
        *(given.batch_size, given.sequence_length),
    ]
    rows = load(given.results)
    runs = itertools.product(
        range(given.seeds), patterns(given.tile).items(), REGULARIZERS.items()
    )
    wanted = []
    for seed, (pattern_name, pattern), (name, make) in runs:
        key = {
            "settings": settings,
            "seed": seed,
            "pattern": pattern_name,
            "regularizer": name,
            "factor": None if name == "none" else given.factor,
        }
        found = [
            r for r in rows if {**r, "bits": None} == {**key, "bits": None}
        ]
        if found:
            wanted += found
            continue
        value = bits(task, pattern, make(given.factor, seed), given.steps, seed)
        wanted.append({**key, "bits": value})
        with open(given.results, "a", encoding="utf-8") as file:
            file.write(json.dumps(wanted[-1]) + "\n")
        print(f"{seed} {pattern_name}, {name}: {value:.4f}", flush=True)
        keras.backend.clear_session()
    print(
        f"Bits per character at {SPARSITY:.1%} sparsity, LSTM({given.units}), "
        f"{given.steps} steps, factor {given.factor:g}, {given.seeds} seed(s): "
        "mean (range)\n"
    )
    print(table(wanted, given.tile))


if __name__ == "__main__":
    main()
