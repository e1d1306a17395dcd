"""How far off are nets of path integration on longer walks, and noisy ones?

    python results/long_walks.py DIR...   # tests the nets of sweeps' folders
    python results/long_walks.py --table  # what stands there

Each net is tested on walks of up to 1,000 steps, drawn anew, and on such whose
displacements are wrong by 1 cm in each coordinate. What is kept is the mean
error in cm of the last tenth of the steps, in `long_walks.json` beside this,
with what is there already.
"""

import dataclasses
import itertools
from pathlib import Path

import keeping
import keras
import numpy as np

from keras_moduli.experiments.reports.row import Row
from keras_moduli.experiments.runs import folders
from keras_moduli.experiments.runs.settings import Settings
from keras_moduli.tasks import Navigation
from keras_moduli.tasks.navigation.place_cells import decode
from keras_moduli.tasks.navigation.walks import summed

RECORDS = Path(__file__).with_name("long_walks.json")
WALKS = {20: 1000, 50: 1000, 200: 250, 1000: 50}  # steps: how many walks
NOISE = (0.0, 0.01)  # metres
STILL, SUMMED = "staying where the walk began", "summed displacements"


def error(places, truth):
    """The mean distance over the last tenth of the steps, in cm."""
    last = -(-truth.shape[1] // 10)
    return float(
        100 * np.linalg.norm(places - truth, axis=-1)[:, -last:].mean()
    )


def tested(net, task):
    """The error of a trained net on a task's test data."""
    units = net.get_layer("encoder").kernel.shape[1]
    model = dataclasses.replace(task, units=units).model(1)
    model.set_weights(net.get_weights())
    inputs, truth = task.test
    cells = net.get_layer("place_cells").centres
    places = [
        keras.ops.convert_to_numpy(decode(model.predict_on_batch(part), cells))
        for part in _parts(inputs, len(truth))
    ]
    return error(np.concatenate(places), truth)


def _parts(inputs, count, size=50):
    """Batches of inputs: the activities of long walks are large."""
    for first in range(0, count, size):
        yield {k: v[first : first + size] for k, v in inputs.items()}


def tasks():
    """From a column's name to its task."""
    for noise in NOISE:
        for steps, walks in WALKS.items():
            name = f"{steps:,}" + (f", {noise:g} m" if noise else "")
            yield (
                name,
                Navigation(
                    sequence_length=steps, noise=noise, validation_size=walks
                ),
            )


def described(folder):
    """What a run is: the fields of its record that name it."""
    settings = Settings.from_dict(folders.load(folder))
    task = settings.make_task()
    return {
        "net": Row(settings, []).label,
        "share": round(1 - settings.sparsity, 6),
        "steps": task.sequence_length,
        "noise": task.noise,
        "rate": task.learning_rate,
        "clipped": task.global_clipnorm is not None,
        "seed": settings.seed,
    }


def found_in(places):
    """What the nets of folders are wrong by."""
    columns = dict(tasks())
    nets = (Path(place).glob("*/model.keras") for place in places)
    for path in sorted(itertools.chain(*nets), key=str):
        run = described(path.parent)
        net = keras.saving.load_model(path)
        errors = {name: tested(net, task) for name, task in columns.items()}
        print(run, errors)
        yield {**run, "errors": errors}


def without_nets():
    """What those are wrong by who have none."""
    still, sums = {}, {}
    for name, task in tasks():
        inputs, truth = task.test
        still[name] = error(inputs["start"][:, None], truth)
        sums[name] = error(summed(inputs), truth)
    yield {"net": STILL, "errors": still}
    yield {"net": SUMMED, "errors": sums}


def name_of(run, *but):
    """A run's fields, but for its errors and others, to be compared."""
    return tuple(v for k, v in run.items() if k not in ("errors", *but))


def merged(before, found):
    """All runs, those found now in place of those of the same name."""
    runs = {name_of(run): run for run in [*before, *found]}
    return sorted(runs.values(), key=_order)


def _order(run):
    """Nets by what they were trained on, and last those who have none."""
    fields = "steps", "noise", "net", "share", "rate", "clipped", "seed"
    return "steps" not in run, *(run.get(field, 0) for field in fields)


def missing(runs):
    """The nets that were not tested on everything."""
    columns = {name for name, _ in tasks()}
    return [name_of(run) for run in runs if set(run["errors"]) != columns]


def table(runs):
    """The runs as a table: means over seeds, in cm."""
    columns = list(runs[0]["errors"])
    yield (
        "| net | connections | trained on | rate | runs "
        f"| {' | '.join(columns)} |"
    )
    yield "|---|---:|---|---:|---:" + "|---:" * len(columns) + "|"
    for kind in dict.fromkeys(name_of(run, "seed") for run in runs):
        same = [run for run in runs if name_of(run, "seed") == kind]
        means = [np.mean([run["errors"][c] for run in same]) for c in columns]
        numbers = " | ".join(f"{mean:.1f}" for mean in means)
        yield f"| {_words(same[0])} | {len(same)} | {numbers} |"


def _words(run):
    """What a run is, as cells of the table."""
    if "steps" not in run:
        return f"{run['net']} | | |"
    noise = f", {run['noise']:g} m" if run["noise"] else ""
    return (
        f"{run['net']} | {run['share']:.0%} | {run['steps']} steps{noise} "
        f"| {run['rate']:g}{', clipped' * run['clipped']}"
    )


def main():
    parser = keeping.arguments(__doc__)
    parser.add_argument("folders", nargs="*")
    given = parser.parse_args()
    if not given.table:
        found = [*found_in(given.folders), *without_nets()]
        keeping.keep(RECORDS, merged(keeping.kept(RECORDS), found))
    keeping.show(RECORDS, table)


if __name__ == "__main__":
    main()
