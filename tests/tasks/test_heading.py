import itertools

import keras
import numpy as np
import pytest

from keras_moduli.tasks import heading
from keras_moduli.tasks.heading import Heading


def angles(points):
    """What complex numbers say of sines and cosines."""
    return np.angle(points[..., 1] + 1j * points[..., 0])


def apart(first, second):
    """Degrees between headings, 0 to 180."""
    return np.degrees(np.abs(np.angle(np.exp(1j * (first - second)))))


def test_without_noise_and_bias_the_readings_sum_to_the_heading(monkeypatch):
    monkeypatch.setattr(heading, "DRIFT", 0.0)
    inputs, y = heading.examples(
        20, 40, np.random.default_rng(0), noise=0.0, bias=0.0
    )
    assert inputs["rate"].dtype == y.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(y, axis=-1), 1.0, rtol=1e-6)
    turn = 0.05 * inputs["rate"][..., 0].cumsum(1)
    expected = angles(inputs["start"])[:, None] + turn
    assert apart(angles(y), expected).max() < 1e-2
    np.testing.assert_allclose(heading.summed(inputs), y, atol=1e-5)


def test_readings_have_the_statistics_that_are_promised():
    inputs, y = heading.examples(
        20000, 30, np.random.default_rng(0), noise=1.5, bias=0.4
    )
    true = np.angle(np.exp(1j * np.diff(angles(y), axis=1))) / 0.05
    assert true.std() == pytest.approx(2.0, rel=0.02)
    # The rate forgets itself in half a second, ten steps.
    alike = np.corrcoef(true[:, 0], true[:, 10])[0, 1]
    assert alike == pytest.approx(np.exp(-1), abs=0.02)
    wrong = inputs["rate"][:, 1:, 0] - true
    assert wrong.std(1, ddof=1).mean() == pytest.approx(1.5, rel=0.02)
    # Between bodies, the mean differs by the bias, its drift and the noise.
    expected = (0.4**2 + 1.5**2 / 29 + 0.02**2 * 0.75) ** 0.5
    assert wrong.mean(1).std() == pytest.approx(expected, rel=0.03)


def test_the_metric_is_the_angle_that_complex_numbers_have():
    generator = np.random.default_rng(0)
    y, guess = generator.normal(size=(2, 4, 7, 2)).astype("float32")
    metric = heading.AngularError()
    metric.update_state(y[:2], guess[:2])
    metric.update_state(y[2:], guess[2:])
    expected = apart(angles(y), angles(guess)).mean()
    assert float(metric.result()) == pytest.approx(expected, rel=1e-5)
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert again.name == "angular_error"


def test_what_needs_no_network_is_measured_on_the_test_data():
    task = Heading(validation_size=4000)
    assert task.trivial == pytest.approx(90.0, abs=2.0)
    inputs, y = task.test
    start = angles(inputs["start"])[:, None]
    guess = start + 0.05 * inputs["rate"][..., 0].cumsum(1)
    expected = apart(guess, angles(y)).mean()
    assert task.rivals == {"summed rates": pytest.approx(expected, rel=1e-3)}
    assert f"{task.rivals['summed rates']:.1f}" in task.describe()


def test_a_batch_depends_on_seed_and_step_only():
    task = Heading(sequence_length=4, batch_size=3)
    whole = list(itertools.islice(task.training(4, 0), 8))
    later, other = next(task.training(4, 7)), next(task.training(5, 0))
    for name in ("start", "rate"):
        np.testing.assert_array_equal(later[0][name], whole[7][0][name])
        assert not np.array_equal(other[0][name], whole[0][0][name])
    np.testing.assert_array_equal(later[1], whole[7][1])


def test_the_model_is_a_relu_network_from_the_first_heading():
    model = Heading(units=8, sequence_length=6).model(steps=1)
    weights = {weight.path: weight.numpy() for weight in model.weights}
    inputs, _ = heading.examples(3, 6, np.random.default_rng(0))
    state = inputs["start"] @ weights["encoder/kernel"]
    for step in range(6):
        state = np.maximum(
            inputs["rate"][:, step] @ weights["rnn/simple_rnn_cell/kernel"]
            + state @ weights["rnn/simple_rnn_cell/recurrent_kernel"]
            + weights["rnn/simple_rnn_cell/bias"],
            0,
        )
    np.testing.assert_allclose(
        model.predict(inputs, verbose=0)[:, -1],
        state @ weights["decoder/kernel"] + weights["decoder/bias"],
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.slow
def test_short_turns_are_learnt():
    keras.utils.set_random_seed(1)
    task = Heading(
        units=32, sequence_length=5, learning_rate=5e-3, validation_size=500
    )
    model = task.model(steps=400)
    model.fit(
        task.training(0, 0), steps_per_epoch=400, shuffle=False, verbose=0
    )
    logs = model.evaluate(*task.validation, return_dict=True, verbose=0)
    # The first heading alone, without the readings, is farther off.
    inputs, y = task.validation
    first = angles(inputs["start"])[:, None]
    assert logs["angular_error"] < 0.6 * apart(first, angles(y)).mean()


@pytest.mark.parametrize(
    ("name", "value"),
    [("units", 0), ("batch_size", 1.5), ("noise", -1), ("bias", "x")],
)
def test_impossible_settings_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}`"):
        Heading(**{name: value})
