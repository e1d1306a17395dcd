"""How much better one kind of run is than the others, seed by seed."""

from keras_moduli.experiments.reports import rendering
from keras_moduli.experiments.reports import table

_SHARED = table.HEADER.index("mean") + 1  # columns that the tables share
HEADER = (*table.HEADER[:_SHARED], "worse by", "std", "worse in")


def render(rows, reference, form="markdown"):
    """The table of differences from a reference as text.

    Of every kind and sparsity the factor is taken that has the lowest median
    on the validation data, among those with the most seeds; runs with the same
    seed are compared on the test data. So what was chosen by is not what is
    compared.

    Args:
        rows: What `table.load` returned.
        reference: Label of the reference, for example `"torus,
            difference_of_gaussians"`.
        form: `"markdown"`, `"latex"` or `"csv"`.

    Returns:
        A string. "worse by" and "std" are mean and standard deviation, over
        seeds, of how much larger the error is than the reference's; "worse
        in" counts the seeds in which it is larger.

    Raises:
        ValueError: If there are no finished runs of that reference.
    """
    chosen = table.best_factors(rows)
    known = sorted({label for label, _ in chosen})
    if reference not in known:
        raise ValueError(
            f"`against` must be one of {known}, of which runs are finished. "
            f"Received: against={reference!r}"
        )
    body = []
    for (label, sparsity), row in chosen.items():
        best = chosen.get((reference, sparsity))
        if label != reference and best is not None:
            body.append(_line(row, best))
    return rendering.FORMS[form](list(HEADER), body, set())


def _line(row, reference):
    errors, least = row.by_seed, reference.by_seed
    worse = [errors[seed] - least[seed] for seed in errors if seed in least]
    mean, spread, _ = rendering.summary(worse)
    count = sum(difference > 0 for difference in worse)
    return [
        *table.cells(row)[:_SHARED],
        mean,
        spread,
        f"{count} of {len(worse)}",
    ]
