import itertools

import keras
import numpy as np
import pytest

from keras_moduli.experiments.runs.settings import Settings
from keras_moduli.tasks import navigation
from keras_moduli.tasks.navigation import place_cells
from keras_moduli.tasks.navigation import trajectories
from keras_moduli.tasks.navigation.task import Navigation


@pytest.fixture(scope="module")
def positions():
    return trajectories.walk(400, 200, 2.2, np.random.default_rng(0))


def steps_of(positions):
    """Length of each step, and whether it began and ended far from walls."""
    length = np.linalg.norm(np.diff(positions, axis=1), axis=-1)
    inside = np.abs(positions).max(-1) < 1.1 - trajectories.BORDER
    return length, inside[:, 1:] & inside[:, :-1]


def test_no_walk_leaves_the_box(positions):
    assert positions.shape == (400, 201, 2)
    assert np.abs(positions).max() <= np.float32(1.1)
    # ... and all of it is visited.
    assert np.histogram2d(*positions.reshape(-1, 2).T, 8)[0].min() > 0


def test_speeds_are_rayleigh(positions):
    length, inside = steps_of(positions)
    # Slightly fewer long steps stay inside; 3 % covers it.
    speed = length[inside] / 0.02
    scale = 0.13 * 2 * np.pi
    assert speed.mean() == pytest.approx(scale * np.sqrt(np.pi / 2), rel=0.03)
    for quantile in (0.25, 0.5, 0.75):
        assert np.quantile(speed, quantile) == pytest.approx(
            scale * np.sqrt(-2 * np.log(1 - quantile)), rel=0.03
        )


def test_turns_are_normal(positions):
    moves = np.diff(positions, axis=1)
    heading = np.arctan2(moves[..., 1], moves[..., 0])
    turn = (np.diff(heading, axis=1) + np.pi) % (2 * np.pi) - np.pi
    _, inside = steps_of(positions)
    turn = turn[inside[:, 1:] & inside[:, :-1]]
    assert turn.mean() == pytest.approx(0, abs=0.01)
    assert turn.std() == pytest.approx(5.76 * 2 * 0.02, rel=0.03)


def test_walls_slow_the_agent_down(positions):
    length, _ = steps_of(positions)
    near = np.abs(positions[:, :-1]).max(-1) > 1.1 - trajectories.BORDER
    assert length[near].mean() < 0.8 * length[~near].mean()


def test_walks_start_anywhere_in_any_direction(positions):
    assert positions[:, 0].mean() == pytest.approx(0, abs=0.1)
    assert positions[:, 0].std() == pytest.approx(2.2 / 12**0.5, rel=0.05)
    heading = np.arctan2(*(positions[:, 1] - positions[:, 0]).T)
    counts, _ = np.histogram(heading, 4, (-np.pi, np.pi))
    assert counts.min() > 70  # of 100 expected


def test_inputs_and_targets_belong_together():
    inputs, y = navigation.examples(5, 7, np.random.default_rng(1))
    np.testing.assert_allclose(
        inputs["start"][:, None] + inputs["displacement"].cumsum(1),
        y,
        atol=1e-5,
    )


def test_noise_is_on_the_displacements_and_not_on_the_positions():
    shape = 4000, 10
    _, true = navigation.examples(*shape, np.random.default_rng(1))
    inputs, y = navigation.examples(
        *shape, np.random.default_rng(1), noise=0.02
    )
    np.testing.assert_array_equal(y, true)
    assert inputs["displacement"].dtype == np.float32
    moved = np.diff(np.concatenate([inputs["start"][:, None], y], 1), axis=1)
    wrong = inputs["displacement"] - moved
    assert wrong.mean() == pytest.approx(0, abs=1e-3)
    assert wrong.std() == pytest.approx(0.02, rel=0.02)
    # Of white noise, sums grow with the square root.
    of_sums = (navigation.summed(inputs) - y).std((0, 2))
    np.testing.assert_allclose(
        of_sums, 0.02 * np.sqrt(np.arange(1, 11)), rtol=0.04
    )


def test_what_summing_gives_is_measured_on_the_test_data():
    assert Navigation(validation_size=4).rivals == {}
    task = Navigation(sequence_length=9, noise=0.03, validation_size=4000)
    # The mean length of a normal vector of two coordinates, step by step.
    expected = 3 * np.sqrt(np.pi / 2) * np.sqrt(np.arange(1, 10)).mean()
    assert task.rivals == {
        "summed displacements": pytest.approx(expected, rel=0.02)
    }
    assert f"{task.rivals['summed displacements']:.1f}" in task.describe()
    inputs, y = next(task.training(0, 0))
    assert not np.allclose(navigation.summed(inputs), y, atol=1e-3)


def test_a_batch_depends_on_seed_and_step_only():
    whole = list(itertools.islice(navigation.dataset(4, 3, seed=2), 6))
    (later,) = itertools.islice(
        navigation.dataset(4, 3, seed=2, first_step=5), 1
    )
    np.testing.assert_array_equal(later[1], whole[5][1])


def test_the_code_of_a_position_by_hand():
    centres = place_cells.centres(20, 2.2)
    position = np.array([0.3, -0.4], "float32")
    square = ((position - centres) ** 2).sum(1).astype("float64")
    softmax = [
        np.exp(-square / (n * 0.12**2)) / np.exp(-square / (n * 0.12**2)).sum()
        for n in (2, 4)
    ]
    expected = softmax[0] - softmax[1]
    expected = expected + abs(expected.min())
    expected /= expected.sum()
    found = keras.ops.convert_to_numpy(place_cells.code(position, centres))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_codes_are_distributions():
    positions = np.random.default_rng(0).uniform(-1.1, 1.1, (4, 5, 2))
    codes = keras.ops.convert_to_numpy(
        place_cells.PlaceCells(64)(positions.astype("float32"))
    )
    assert codes.shape == (4, 5, 64)
    assert codes.min() >= 0
    np.testing.assert_allclose(codes.sum(-1), 1, atol=1e-5)


def test_decoding_the_true_code_is_nearly_right():
    positions = np.random.default_rng(0).uniform(-1.1, 1.1, (2000, 2))
    positions = positions.astype("float32")
    metric = place_cells.PositionError(512)
    metric.update_state(positions, place_cells.code(positions, metric.centres))
    assert 2 < float(metric.result()) < 6


def first_move(**given):
    """How far the first step moves a recurrent weight, at most.

    Adam's is as long as its rate whatever the gradients are, unless these are
    smaller than its epsilon.
    """
    keras.utils.set_random_seed(0)
    task = Navigation(units=16, cells=8, **given)
    model = task.model(steps=1)
    model.optimizer.weight_decay = None
    before = model.get_layer("rnn").cell.recurrent_kernel.numpy()
    model.train_on_batch(*next(iter(task.training(0, 0))))
    after = model.get_layer("rnn").cell.recurrent_kernel.numpy()
    return np.abs(after - before).max()


def test_a_step_is_no_longer_than_the_norm_allows():
    free, clipped = (first_move(global_clipnorm=norm) for norm in (None, 1e-9))
    assert free > 9e-4 > 1e-5 > clipped


def test_small_gradients_move_weights_where_epsilon_is_smaller_still():
    assert first_move(epsilon=1.0) < 1e-6
    assert first_move(epsilon=1e-12) == pytest.approx(1e-3, rel=1e-2)


@pytest.mark.parametrize("preset", ["small", "paper"])
def test_the_cells_of_the_presets_can_be_decoded(preset):
    task = Settings.of("navigation", {}, preset).make_task()
    _, y = task.validation
    metric = place_cells.PositionError(task.cells, width=task.width)
    metric.update_state(y, place_cells.code(y, metric.centres, task.width))
    assert float(metric.result()) < 7  # cm


def test_always_answering_the_centre_is_84_cm_wrong():
    positions = np.random.default_rng(0).uniform(-1.1, 1.1, (20000, 2))
    metric = place_cells.PositionError(3)
    metric.centres = np.zeros((3, 2), "float32")
    metric.update_state(positions.astype("float32"), np.zeros((20000, 3)))
    assert float(metric.result()) == pytest.approx(84.2, rel=0.01)


def test_the_loss_is_least_at_the_true_code():
    loss = place_cells.PlaceCrossentropy(32)
    positions = np.random.default_rng(0).uniform(-1, 1, (6, 2, 2))
    positions = positions.astype("float32")
    codes = keras.ops.convert_to_numpy(
        place_cells.code(positions, loss.centres, loss.width)
    ).astype("float64")
    entropy = -np.sum(codes * np.log(np.maximum(codes, 1e-30)), -1).mean()
    found = float(loss(positions, np.log(np.maximum(codes, 1e-30))))
    assert found == pytest.approx(entropy, rel=1e-4)
    assert float(loss(positions, np.zeros_like(codes))) == pytest.approx(
        np.log(32), rel=1e-5
    )
    assert entropy < np.log(32)


def test_the_model_is_that_of_the_paper_and_comes_back_from_a_file(tmp_path):
    task = Navigation(units=24, cells=16, sequence_length=6, validation_size=4)
    model = task.model(steps=1)
    model.save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras")
    weights = model.get_weights()
    encoder, kernel, recurrent, decoder = weights
    assert kernel.shape == (2, 24)
    inputs, y = task.validation
    cells = place_cells.centres(16, 2.2)
    code = place_cells.code(inputs["start"], cells, task.width)
    state = keras.ops.convert_to_numpy(code) @ encoder
    outputs = []
    for step in range(6):
        state = np.maximum(
            inputs["displacement"][:, step] @ kernel + state @ recurrent, 0
        )
        outputs.append(state @ decoder)
    expected = np.stack(outputs, 1)
    np.testing.assert_allclose(
        model.predict(inputs, verbose=0), expected, atol=1e-5
    )
    best = np.argsort(expected, -1)[..., -3:]
    error = np.linalg.norm(cells[best].mean(-2) - y, axis=-1).mean()
    logs = model.evaluate(inputs, y, return_dict=True, verbose=0)
    assert logs["position_error"] == pytest.approx(100 * error, rel=1e-4)


def test_a_few_steps_help():
    keras.utils.set_random_seed(0)
    task = Navigation(
        units=64,
        cells=32,
        sequence_length=5,
        batch_size=64,
        learning_rate=5e-3,
        validation_size=200,
    )
    model = task.model(steps=1)
    model.fit(
        task.training(0, 0), steps_per_epoch=300, shuffle=False, verbose=0
    )
    logs = model.evaluate(*task.validation, return_dict=True, verbose=0)
    assert logs["position_error"] < 75  # the centre is wrong by 84


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("units", 0),
        ("cells", 2),
        ("sequence_length", -1),
        ("width", 0.0),
        ("noise", -0.1),
        ("global_clipnorm", 0.0),
        ("epsilon", 0.0),
    ],
)
def test_impossible_sizes_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}`"):
        Navigation(**{name: value})


def test_test_data_are_others_and_the_trivial_answer_is_known():
    task = Navigation(sequence_length=5, validation_size=2000)
    (x, _), (other, _) = task.validation, task.test
    first, second = (keras.tree.flatten(part)[0] for part in (x, other))
    # Single-precision numbers meet by chance, but rarely.
    assert np.isin(first[:, 0], second).mean() < 0.01
    assert task.trivial == pytest.approx(84, rel=0.1)
