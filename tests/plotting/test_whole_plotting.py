"""What the pictures show, read back from the drawn artists."""

import itertools

import keras
import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

import keras_moduli
from keras_moduli import plotting
from keras_moduli.plotting import style
from keras_moduli.pruning.schedules import polynomial_decay

matplotlib.use("agg")

LOGS = [
    {"epoch": epoch, "val_loss": 3 / epoch, "sparsity": 0.3 * epoch}
    for epoch in (1, 2, 3)
]


@pytest.fixture
def ax():
    return Figure().add_subplot()


def sparse_kernel(units, gates=4, keep=0.1):
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(units, gates * units))
    kernel[rng.random(kernel.shape) > keep] = 0.0
    return kernel


def test_curves(ax):
    assert plotting.plot_curves({"a": LOGS, "b": LOGS[:2]}, "val_loss", ax=ax)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [3, 1.5, 1])
    np.testing.assert_allclose(ax.lines[1].get_xdata(), [1, 2])
    looks = {(line.get_linestyle(), line.get_marker()) for line in ax.lines}
    assert len(looks) == 2  # told apart without colour
    assert ax.get_ylabel() == "val_loss"
    ticks = ax.get_xticks()
    np.testing.assert_array_equal(ticks, np.round(ticks))  # epochs are whole


def test_more_lines_than_colours_are_told_apart(ax):
    plotting.plot_curves({str(n): LOGS for n in range(14)}, "val_loss", ax=ax)
    looks = {
        (line.get_linestyle(), line.get_marker(), line.get_markerfacecolor())
        for line in ax.lines
    }
    assert len(looks) == 14
    ax.figure.canvas.draw()
    names = ax.get_legend().get_window_extent()
    assert names.x0 >= ax.get_window_extent().x1  # beside, not over the lines


def test_sparsity_over_its_schedule(ax):
    schedule = polynomial_decay(0.9, 0.0, 1.0, 30)
    plotting.plot_sparsity(LOGS, schedule, steps_per_epoch=10, ax=ax)
    planned, measured = ax.lines
    np.testing.assert_allclose(measured.get_ydata(), [30, 60, 90])
    assert planned.get_xdata()[-1] == 3
    assert planned.get_ydata()[-1] == pytest.approx(90)
    assert np.all(np.diff(planned.get_ydata()) >= 0)


@pytest.mark.parametrize(
    "space", ["torus", "klein_bottle", "circle", "sphere", "torus3", "torus6"]
)
def test_connections_of_a_neuron(space):
    regularizer = keras_moduli.ModuliRegularizer(space, seed=1)
    kernel = sparse_kernel(40)
    ax = plotting.plot_connections(kernel, regularizer, neuron=7)
    neurons, targets, star = ax.collections
    points = regularizer.embedding(40)
    alive = kernel[7].reshape(4, 40).any(axis=0)
    dim = 3 if points.shape[1] == 3 else 2
    assert ax.name == ("3d" if dim == 3 else "rectilinear")
    for drawn, expected in (
        (neurons, points),
        (targets, points[alive]),
        (star, points[7:8]),
    ):
        offsets = (
            np.stack(drawn._offsets3d, -1) if dim == 3 else drawn.get_offsets()
        )
        np.testing.assert_allclose(
            np.sort(offsets, axis=0), np.sort(expected[:, :dim], axis=0)
        )
    assert ax.get_title() == f"neuron 7: {alive.sum()} targets"
    ax.figure.canvas.draw()
    matplotlib.pyplot.close(ax.figure)


def test_a_neuron_without_connections_is_drawn(ax):
    regularizer = keras_moduli.ModuliRegularizer("torus", seed=1)
    plotting.plot_connections(np.zeros((8, 8)), regularizer, 0, ax=ax)
    assert ax.get_title() == "neuron 0: 0 targets"


def test_the_background_is_the_penalty(ax):
    regularizer = keras_moduli.ModuliRegularizer("torus", seed=1)
    plotting.plot_connections(sparse_kernel(9, 1), regularizer, 4, ax=ax)
    shades = ax.images[0].get_array()
    x, y = regularizer.embedding(9)[4]
    scale = len(shades) / 10
    # One ring of least penalty around the neuron, 0.89 away.
    for dx, dy in ((0.8879, 0), (0, -0.8879)):
        column = int((x + dx) % 10 * scale)
        row = int((y + dy) % 10 * scale)
        assert shades[row, column] < 0.02 * shades.max()
    assert shades[int((y + 5) % 10 * scale), int(x * scale)] > 80


@pytest.mark.parametrize("space", ["torus", "sphere", "torus6"])
def test_survival_by_distance(ax, space):
    regularizer = keras_moduli.ModuliRegularizer(space, seed=2)
    points = regularizer.embedding(60)
    distance = keras.ops.convert_to_numpy(regularizer.space.distance(points))
    near = distance < np.median(distance)
    kernel = np.hstack([near, np.zeros_like(near)]).astype("float32")
    plotting.plot_survival(kernel, regularizer, bins=10, ax=ax)
    living, edges, _ = ax.patches[0].get_data()
    known = np.histogram(distance, edges)[0] > 0
    np.testing.assert_array_equal(np.isfinite(living), known)
    below = known & (edges[1:] < np.median(distance))
    above = known & (edges[:-1] > np.median(distance))
    np.testing.assert_allclose(living[below], 50)  # one gate of two
    np.testing.assert_allclose(living[above], 0)
    assert ax.lines[0].get_ydata()[0] == pytest.approx(100 * kernel.mean())


@pytest.mark.parametrize("space", ["torus", "klein_bottle", "sphere", "torus6"])
def test_the_points_of_neurons(space):
    regularizer = keras_moduli.ModuliRegularizer(space, seed=1)
    ax = plotting.plot_embedding(regularizer, 30)
    points = regularizer.embedding(30)
    (dots,) = ax.collections
    drawn = (
        np.stack(dots._offsets3d, -1)
        if space == "sphere"
        else dots.get_offsets()
    )
    np.testing.assert_allclose(drawn[:, :2], points[:, :2], rtol=1e-6)
    arrows = {"torus": 4, "klein_bottle": 4}.get(space, 0)
    assert len(ax.texts) == arrows
    ax.figure.canvas.draw()
    matplotlib.pyplot.close(ax.figure)


def test_the_torus_in_three_dimensions_is_a_ring():
    regularizer = keras_moduli.ModuliRegularizer("torus", seed=1)
    ax = Figure().add_subplot(projection="3d")
    plotting.plot_embedding(regularizer, 50, ax=ax)
    x, y, z = ax.collections[0]._offsets3d
    np.testing.assert_allclose((np.hypot(x, y) - 2) ** 2 + z**2, 1, atol=1e-5)
    around = np.mod(np.arctan2(y, x) / (2 * np.pi), 1) * 10
    np.testing.assert_allclose(
        around, regularizer.embedding(50)[:, 0], atol=1e-4
    )
    assert not ax.texts  # nothing is glued any more


def test_only_the_klein_bottle_turns_an_edge_around(ax):
    turned = {}
    for space in ("torus", "klein_bottle"):
        regularizer = keras_moduli.ModuliRegularizer(space, seed=1)
        ax = plotting.plot_embedding(regularizer, 5, ax=Figure().add_subplot())
        arrows = [
            np.subtract(text.xy, text.get_position()) for text in ax.texts
        ]
        turned[space] = [np.sign(a @ b) for a, b in (arrows[:2], arrows[2:])]
    assert turned == {"torus": [1, 1], "klein_bottle": [1, -1]}


def test_the_curve_of_the_inhibitor(ax):
    regularizer = keras_moduli.ModuliRegularizer("torus", scale=2.0)
    plotting.plot_inhibitor(regularizer, ax=ax)
    distance, penalty = ax.lines[0].get_data()
    assert distance[np.argmin(penalty)] == pytest.approx(2 * 0.88789, abs=0.02)
    assert distance[-1] == pytest.approx(50**0.5)


def test_sorting_by_position_shows_the_structure(ax):
    regularizer = keras_moduli.ModuliRegularizer("torus", seed=3)
    plotting.plot_penalty(regularizer, 64, ax=ax)
    drawn = ax.images[0].get_array()
    penalty = keras.ops.convert_to_numpy(regularizer.penalty(64))
    np.testing.assert_allclose(np.sort(drawn, None), np.sort(penalty, None))
    np.testing.assert_allclose(drawn, drawn.T, rtol=1e-4)

    def roughness(matrix):
        return np.abs(np.diff(matrix, axis=0)).mean()

    assert roughness(drawn) < 0.8 * roughness(penalty)


def test_the_kernel_is_sorted_gate_by_gate(ax):
    regularizer = keras_moduli.ModuliRegularizer("torus", seed=3)
    kernel = sparse_kernel(20, gates=3)
    plotting.plot_kernel(kernel, regularizer, ax=ax)
    drawn = ax.images[0].get_array()
    assert drawn.shape == (20, 60)
    assert len(ax.lines) == 2  # between the gates
    for gate in range(3):
        part = slice(20 * gate, 20 * gate + 20)
        assert drawn[:, part].sum() == np.count_nonzero(kernel[:, part])
        # Rows and columns are moved alike, so the diagonal stays one.
        assert (
            np.diag(drawn[:, part]).sum() == np.diag(kernel[:, part] != 0).sum()
        )


def test_no_two_lines_look_alike():
    looks = [style.look(index) for index in range(3 * len(style.LINES))]
    told_by = ("color", "linestyle", "marker")
    for one, other in itertools.combinations(looks, 2):
        assert sum(one[name] == other[name] for name in told_by) <= 1


def test_the_tradeoff(ax):
    results = {
        "a": {0.9: [1.0, 3.0], 0.98: [5.0]},
        "b": {0.9: [4.0], 0.98: [6.0, 8.0]},
    }
    plotting.plot_tradeoff(results, "cm", ax=ax)
    lines = {c.get_label(): c.lines[0] for c in ax.containers}
    a, b = (np.array(lines[name].get_data(), float) for name in "ab")
    np.testing.assert_allclose(a[1], [2, 5])
    np.testing.assert_allclose(b[1], [4, 7])
    a, b = a[0], b[0]
    assert np.all(a < b)  # side by side
    np.testing.assert_allclose((a + b) / 2, [90, 98])
    dots = [
        dot
        for collection in ax.collections
        if hasattr(collection, "get_offsets")
        for dot in np.asarray(collection.get_offsets())[:, 1]
    ]
    assert {1, 3, 5, 4, 6, 8} <= set(dots)
