"""Tables as text: Markdown, LaTeX or CSV.

Each form takes a header, the rows as lists of strings, and a set of the cells
`(row, column)` that are bold.
"""

import csv
import io
import math
import statistics


def summary(values):
    """Mean, standard deviation and median, as far as there are any."""
    if not values:
        return ["", "", ""]
    spread = statistics.stdev(values) if len(values) > 1 else math.nan
    return [
        f"{value:.4g}" if math.isfinite(value) else ""
        for value in (
            statistics.mean(values),
            spread,
            statistics.median(values),
        )
    ]


def _markdown(header, body, bold):
    lines = [header, ["---", *["---:"] * (len(header) - 1)]]
    lines += _emphasized(body, bold, "**{}**")
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _latex(header, body, bold):
    lines = [
        f"\\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
        "\\hline",
        _latex_line(header),
        "\\hline",
        *(
            _latex_line(line)
            for line in _emphasized(body, bold, "\\textbf{{{}}}")
        ),
        "\\hline",
        "\\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _latex_line(line):
    escaped = (c.replace("%", "\\%").replace("_", "\\_") for c in line)
    return " & ".join(escaped) + " \\\\"


def _csv(header, body, bold):
    del bold
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *body])
    return text.getvalue()


def _emphasized(body, bold, form):
    return [
        [
            form.format(cell) if (row, column) in bold else cell
            for column, cell in enumerate(line)
        ]
        for row, line in enumerate(body)
    ]


FORMS = {"markdown": _markdown, "latex": _latex, "csv": _csv}
