"""How far off are nets of path integration on longer walks, and noisy ones?

    python results/long_walks.py DIR...   # tests the nets of sweeps' folders
    python results/long_walks.py --table  # what stands there

Each net is tested on walks of up to 1,000 steps, drawn anew, and on such whose
displacements are wrong by 1 cm in each coordinate. What is kept is the mean
error in cm of the last tenth of the steps, in `long_walks.json` beside this.
"""

import argparse
import dataclasses
import itertools
import json
import re
from pathlib import Path

import keeping
import keras
import numpy as np

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


def kind_of(folder):
    """What a run is, but for its seed."""
    settings = json.loads((folder / "settings.json").read_text())
    steps = settings["task_settings"].get("sequence_length", 20)
    name = re.sub(r"-(rate|seed)[^-]*", "", folder.name)
    return f"{name}, trained on {steps} steps"


def found_in(folders):
    """What the nets of folders, and those who have none, are wrong by."""
    columns = dict(tasks())
    nets = (Path(folder).glob("*/model.keras") for folder in folders)
    for path in sorted(itertools.chain(*nets), key=str):
        name = path.parent.name
        net = keras.saving.load_model(path)
        errors = {name: tested(net, task) for name, task in columns.items()}
        print(name, errors)
        yield {"run": name, "kind": kind_of(path.parent), "errors": errors}
    still, sums = {}, {}
    for name, task in columns.items():
        inputs, truth = task.test
        still[name] = error(inputs["start"][:, None], truth)
        sums[name] = error(summed(inputs), truth)
    yield {"run": STILL, "kind": STILL, "errors": still}
    yield {"run": SUMMED, "kind": SUMMED, "errors": sums}


def missing(runs):
    """The nets that were not tested on everything."""
    columns = {name for name, _ in tasks()}
    return [run["run"] for run in runs if set(run["errors"]) != columns]


def table(runs):
    """The runs as a table: means over seeds, in cm."""
    columns = list(runs[0]["errors"])
    yield f"| | runs | {' | '.join(columns)} |"
    yield "|---|---:" + "|---:" * len(columns) + "|"
    for kind in dict.fromkeys(run["kind"] for run in runs):
        same = [run["errors"] for run in runs if run["kind"] == kind]
        means = [np.mean([errors[c] for errors in same]) for c in columns]
        numbers = " | ".join(f"{mean:.1f}" for mean in means)
        yield f"| {kind} | {len(same)} | {numbers} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    if not given.table:
        keeping.keep(RECORDS, list(found_in(given.folders)))
    print(*table(json.loads(RECORDS.read_text())), sep="\n")


if __name__ == "__main__":
    main()
