"""What scripts of runs share: a run is kept as it ends, and not made again."""

import argparse
import json
import sys

from keras_moduli.utils.files import atomic_path


def missing(kinds, seeds, runs):
    """The first run that is not there, a dict of its kind and its seed."""
    done = {(run["kind"], run["seed"]) for run in runs}
    for seed in range(seeds):
        for kind in kinds:
            if (kind, seed) not in done:
                return {"kind": kind, "seed": seed}
    return None


def completed(records, following, train):
    """Makes what is missing, one run after the other.

    Args:
        records: The file where runs are kept.
        following: From all runs so far to what names the next, a dict, or
            `None`.
        train: From that to what is found, a dict.
    """
    runs = kept(records)
    while run := following(runs):
        print(", ".join(map(str, run.values())), file=sys.stderr)
        runs.append({**run, **train(**run)})
        keep(records, runs)


def command(description, records, following, train, table):
    """What a script of runs without options of its own does."""
    if not arguments(description).parse_args().table:
        completed(records, following, train)
    show(records, table)


def arguments(description):
    """A parser of what all scripts of runs take."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--table", action="store_true")
    return parser


def show(records, table):
    """Prints the runs that are kept."""
    print(*table(kept(records)), sep="\n")


def kept(records):
    """The runs so far."""
    return json.loads(records.read_text()) if records.exists() else []


def keep(records, runs):
    """Writes all runs, whole or not at all."""
    with atomic_path(records) as path:
        path.write_text(json.dumps(runs) + "\n")


def tested(model, task, data):
    """The task's metric on some of its data."""
    return model.evaluate(
        *data, batch_size=task.evaluation_batch, verbose=0, return_dict=True
    )[task.metric]
