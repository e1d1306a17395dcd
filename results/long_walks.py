"""Walks longer than those that networks were trained on, and with noise.

    KERAS_BACKEND=jax python results/long_walks.py DIR  # 5 minutes
    python results/long_walks.py --table                # what stands there

DIR is a folder of `keras-moduli sweep navigation`. Every network in it is
tested on walks of 20, 50, 200 and 1,000 steps, told its displacements rightly
or with an error of 1 cm in each coordinate; beside them stands the sum of the
displacements. What was found is kept in `long_walks.json` beside this.
"""

import argparse
import dataclasses
import itertools
import json
import sys
from pathlib import Path

import numpy as np

from keras_moduli.experiments.reports import table as tables
from keras_moduli.experiments.reports.tradeoff import recurrent_units
from keras_moduli.utils.files import atomic_path

RECORDS = Path(__file__).with_name("long_walks.json")
STEPS = 20, 50, 200, 1000
NOISES = 0.0, 0.01
SUMMED = "the sum of the displacements"


def tested(run, steps, noise):
    """A network's error in cm, over all steps of walks of some length."""
    trained = run.model()
    task = dataclasses.replace(
        run.settings.make_task(),
        units=recurrent_units(trained),
        sequence_length=steps,
        noise=noise,
        validation_size=200,
    )
    model = task.model(1)
    model.set_weights(trained.get_weights())
    found = model.evaluate(
        *task.test,
        batch_size=task.evaluation_batch,
        verbose=0,
        return_dict=True,
    )
    return found[task.metric], *task.rivals.values()


def measured(folder):
    """Every network of a sweep: its kind, seed, and errors in cm."""
    for row in tables.load(folder):
        for run in row.runs:
            print(run.folder.name, file=sys.stderr)
            errors = {
                f"{steps} steps, noise {noise:g}": tested(run, steps, noise)
                for noise, steps in itertools.product(NOISES, STEPS)
            }
            yield {
                "kind": row.label,
                "sparsity": row.settings.sparsity,
                "seed": run.settings.seed,
                "error": {name: found[0] for name, found in errors.items()},
                "summed": {
                    name: found[1]
                    for name, found in errors.items()
                    if len(found) > 1
                },
            }


def table(runs):
    """The runs as a table: means over seeds, in cm."""
    heads = list(runs[0]["error"])
    yield f"| kind | sparsity | runs | {' | '.join(heads)} |"
    yield "|---|---:|---:|" + "---:|" * len(heads)
    kinds = dict.fromkeys((run["kind"], run["sparsity"]) for run in runs)
    for kind, sparsity in kinds:
        same = [
            run["error"]
            for run in runs
            if (run["kind"], run["sparsity"]) == (kind, sparsity)
        ]
        means = [np.mean([run[head] for run in same]) for head in heads]
        cells = " | ".join(f"{mean:.1f}" for mean in means)
        yield f"| {kind} | {100 * sparsity:g} % | {len(same)} | {cells} |"
    summed = runs[0]["summed"]
    cells = " | ".join(
        f"{summed[head]:.1f}" if head in summed else "0" for head in heads
    )
    yield f"| {SUMMED} | | | {cells} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", metavar="DIR")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    if not given.table:
        runs = list(measured(given.folder))
        with atomic_path(RECORDS) as path:
            path.write_text(json.dumps(runs) + "\n")
    print(*table(json.loads(RECORDS.read_text())), sep="\n")


if __name__ == "__main__":
    main()
