"""Colours and axes that all pictures share."""

BLACK = "#000000"
BLUE = "#0072B2"
VERMILION = "#D55E00"
GREEN = "#009E73"
GREY = "#999999"
DARK_GREY = "#666666"  # on shades
# Told apart in colour, in dashes and in markers.
LINES = (
    (BLACK, "--", "s"),
    (BLUE, "-", "o"),
    (VERMILION, "-.", "^"),
    (GREEN, ":", "D"),
    ("#CC79A7", (0, (5, 1, 1, 1, 1, 1)), "v"),
    ("#E69F00", (0, (1, 1)), "P"),
    ("#56B4E9", (0, (8, 2)), "X"),
)


def look(index):
    """Arguments of `plot` that tell one line from the others."""
    turn, place = divmod(index, len(LINES))
    color = LINES[place][0]
    # Where colours come again, dashes and markers are others.
    dashes = LINES[(place + 3 * turn) % len(LINES)][1]
    marker = LINES[(place + 2 * turn) % len(LINES)][2]
    hollow = turn % 2
    return {
        "color": color,
        "linestyle": dashes,
        "marker": marker,
        "markerfacecolor": "white" if hollow else color,
    }


def is_crowded(count):
    """Whether so many lines have their names beside the axes, not in them."""
    return count > 4


def legend(ax, count, **options):
    """Names the lines."""
    if is_crowded(count):
        options |= {"loc": "upper left", "bbox_to_anchor": (1.02, 1)}
        options["fontsize"] = 8
    ax.legend(frameon=False, **options)


def axes(ax, projection=None):
    """The Axes given, or new ones of pyplot's."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    figure = pyplot.figure(layout="constrained")
    return figure.add_subplot(projection=projection)


def tidy(ax):
    """Leaves out the lines that carry nothing."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="#DDDDDD", linewidth=0.5)
    ax.set_axisbelow(True)
