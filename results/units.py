"""What more units cost, where each has as many connections.

    python results/units.py DIR      # the nets of a sweep's folder, 5 minutes
    python results/units.py --table  # what stands there

Of every kind of net the learning rate that validated best; what errors they
have, the sweep's table says. Files are timed side by side, on one thread, and
so are steps of training, on this backend, without what `fit` does besides.
Kept in `units.json` beside this, and made anew as a whole.
"""

import math
import statistics
import time
from pathlib import Path

import keeping
from rich.console import Console

from keras_moduli.experiments.reports import tradeoff
from keras_moduli.experiments.runs.models import first_model
from keras_moduli.models.kernels import is_recurrent
from keras_moduli.models.kernels import kernels

RECORDS = Path(__file__).with_name("units.json")
FORM = "float32"
WARM, ROUNDS = 2, 10


def connections(model):
    """How many recurrent weights a net has, which holds no zeros."""
    (kernel,) = (v for p, v in kernels(model).items() if is_recurrent(p, v))
    return math.prod(kernel.shape)


def steps(models, batches):
    """Milliseconds of a training step, a list: medians of steps in turn."""
    times = [[] for _ in models]
    for _ in range(WARM + ROUNDS):
        for taken, model, batch in zip(times, models, batches, strict=True):
            begin = time.perf_counter()
            model.train_on_batch(*batch)
            taken.append(1000 * (time.perf_counter() - begin))
    return [statistics.median(taken[WARM:]) for taken in times]


def found_in(folder):
    """What the nets of a folder are and cost, a dict each."""
    kinds = tradeoff.measure(folder, Console(stderr=True), FORM)
    tasks = [kind.row.settings.make_task() for kind in kinds]
    # As in training: what a run keeps has Keras's own layers, with zeros.
    models = [
        first_model(kind.row.settings, task)
        for kind, task in zip(kinds, tasks, strict=True)
    ]
    taken = steps(models, [next(iter(t.training(0, 0))) for t in tasks])
    for kind, model, milliseconds in zip(kinds, models, taken, strict=True):
        yield {
            "net": kind.row.label,
            "units": kind.units,
            "connections": connections(model),
            "weights": model.count_params(),
            "step": milliseconds,
            "kilobytes": kind.kilobytes,
            "milliseconds": kind.milliseconds,
        }


def table(nets):
    """The nets as a table, the fewest units first."""
    yield (
        "| net | units | recurrent connections | weights | training step "
        "| file |"
    )
    yield "|---|---:|---:|---:|---:|---:|"
    for net in sorted(nets, key=lambda net: (net["units"], net["net"])):
        yield (
            f"| {net['net']} | {net['units']:,} | {net['connections']:,} "
            f"| {net['weights']:,} | {net['step']:.0f} ms "
            f"| {net['kilobytes']:.0f} KB, {net['milliseconds']:.2f} ms |"
        )


def missing(nets):
    """The nets that were not timed."""
    return [net for net in nets if not net["step"] or not net["milliseconds"]]


def main():
    parser = keeping.arguments(__doc__)
    parser.add_argument("folder", nargs="?")
    given = parser.parse_args()
    if not given.table:
        if given.folder is None:
            parser.error("the folder of a sweep is missing")
        keeping.keep(RECORDS, list(found_in(Path(given.folder))))
    keeping.show(RECORDS, table)


if __name__ == "__main__":
    main()
