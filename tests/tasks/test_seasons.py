import itertools
import json
import sys

import keras
import numpy as np
import pandas as pd
import pytest

import keras_moduli
from keras_moduli.tasks import seasons
from keras_moduli.tasks.seasons import Seasons


@pytest.fixture
def load(tmp_path):
    """A file of twenty weeks: every hour of a week its own, plus noise."""
    generator = np.random.default_rng(0)
    week = generator.uniform(50.0, 150.0, 168)
    values = np.tile(week, 20) + generator.normal(0.0, 5.0, 20 * 168)
    np.save(tmp_path / "load.npy", values)
    return str(tmp_path / "load.npy")


def test_the_traffic_is_what_the_package_holds():
    values = seasons.traffic()
    hours = pd.date_range("2016-10-01", periods=17520, freq="h")
    table = pd.Series(values, hours)
    assert np.isnan(values).sum() == 104
    # As every motorway: rush hours on working days, little at night.
    usual = table.groupby(
        [table.index.day_of_week > 4, table.index.hour]
    ).mean()
    assert usual[False].idxmax() in (7, 16, 17)
    assert usual[False].max() > usual[True].max() > 5 * usual[True].min()


def test_without_the_package_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "autots.datasets", None)
    with pytest.raises(ImportError, match=r"keras-moduli\[seasons\].*`data`"):
        seasons.traffic()


def test_a_csv_is_read_as_pandas_reads_it(tmp_path):
    file = tmp_path / "load.csv"
    file.write_text("demand\n3.5\n\nnan\n-1e3\n  7\n")
    expected = pd.read_csv(file, skip_blank_lines=False)["demand"]
    np.testing.assert_array_equal(seasons.read(file), expected)
    file.write_text("1\n2\n")
    np.testing.assert_array_equal(seasons.read(file), [1.0, 2.0])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"1,2\n3,4\n", "'3,4'"),
        ("a.csv", b"\xff\xfe", "codec"),
        ("a.csv", b"1\ninf\n", "finite"),
        ("a.csv", b"a name\n", "finite"),
        ("a.npy", b"no array", "`data`"),
        ("none.csv", None, "No such file"),
    ],
)
def test_other_files_are_refused(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        seasons.read(tmp_path / name)
    assert "Received: data=" in str(caught.value)


def test_missing_values_are_those_of_the_week_before_or_after():
    whole = np.arange(1.0, 15.0).repeat(12)  # weeks of 14 steps, no two alike
    values = np.tile(whole, 8) + np.arange(8).repeat(168) * 100
    holed = values.copy()
    holed[[3, 400, 400 - 168]] = np.nan
    series = seasons.Series.of(holed, every=1)
    filled = series.mean * (1 + series.values)
    values[3] = values[3 + 168]
    values[[400, 400 - 168]] = values[400 - 2 * 168]
    np.testing.assert_allclose(filled, values, rtol=1e-5)
    assert series.missing == pytest.approx(3 / len(values))
    holed[5::168] = np.nan
    with pytest.raises(ValueError, match="every time of the week"):
        seasons.Series.of(holed)


def test_parts_follow_each_other_and_forecasts_stay_in_theirs(load):
    task = Seasons(data=load, every=1, sequence_length=100, validation_size=400)
    values = task.series.values
    (begin, end), (test_begin, test_end) = (
        task.series.validation,
        task.series.test,
    )
    assert len(task.series.training) == begin
    assert (end, test_end) == (test_begin, len(values))
    for (x, y), first, last in (
        (task.validation, begin, end),
        (task.test, test_begin, test_end),
    ):
        seen, forecast = y[:, :40, 0], y[:, 40:, 0]
        np.testing.assert_array_equal(x[:, :40, 0], seen)
        assert not x[:, 40:].any()
        assert (x[:, :40, 1] == 1.0).all()
        # Every step of the part is forecast by some example, and no other.
        assert set(forecast.ravel()) == set(values[first:last])


def test_the_rivals_are_what_plain_sums_give(load):
    task = Seasons(data=load, every=1, sequence_length=400, warm_up=30)
    values, (begin, end) = task.series.values, task.series.test
    days, weeks, means = [], [], []
    for start in range(begin, end - 370 + 1):  # fewer than 200
        for step in range(start, start + 370):
            day = next(t for t in range(step, 0, -24) if t < start)
            week = next(t for t in range(step, 0, -168) if t < start)
            usual = np.mean(task.series.training[step % 168 :: 168])
            days.append(values[step] - values[day])
            weeks.append(values[step] - values[week])
            means.append(values[step] - usual)
    expected = [100 * np.abs(each).mean() for each in (weeks, days, means)]
    assert list(task.rivals.values()) == pytest.approx(expected, rel=1e-4)
    # Noise of 5 in 100, and of sqrt(2) as much between two weeks.
    assert expected[2] == pytest.approx(5 * (2 / np.pi) ** 0.5, rel=0.1)
    assert expected[0] == pytest.approx(2**0.5 * expected[2], rel=0.1)
    y = task.test[1][:, 30:]
    best = min(np.abs(y - c).mean() for c in np.linspace(-0.6, 0.6, 601))
    assert task.trivial == pytest.approx(100 * best, rel=1e-3)
    for value in (task.trivial, *task.rivals.values()):
        assert f"{value:.1f} %" in task.describe()


def test_only_steps_after_the_warm_up_count():
    generator = np.random.default_rng(0)
    y, guess = generator.normal(size=(2, 6, 9, 1)).astype("float32")
    expected = np.abs(y - guess)[:, 4:].mean()
    loss = seasons.ForecastLoss(4)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    for each in (loss, again):
        assert float(each(y, guess)) == pytest.approx(expected, rel=1e-5)
    metric = seasons.ForecastError(4)
    metric.update_state(y[:2], guess[:2])
    metric.update_state(y[2:], guess[2:])
    assert float(metric.result()) == pytest.approx(100 * expected, rel=1e-5)
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert (again.name, again.warm_up) == ("forecast_error", 4)


def test_a_batch_depends_on_seed_and_step_only(load):
    task = Seasons(data=load, batch_size=3)
    whole = list(itertools.islice(task.training(4, 0), 8))
    later, other = next(task.training(4, 7)), next(task.training(5, 0))
    for mine, theirs in zip(later, whole[7], strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert not np.array_equal(other[0], whole[0][0])
    # Nothing of what is held out is ever seen.
    assert set(later[1].ravel()) <= set(task.series.training)


def test_another_series_has_another_digest(tmp_path, load):
    values = np.load(load)
    np.save(tmp_path / "same.npy", values)
    values[7] += 0.1
    np.save(tmp_path / "other.npy", values)
    digests = {
        name: Seasons(data=str(tmp_path / f"{name}.npy")).digest
        for name in ("load", "same", "other")
    }
    assert digests["load"] == digests["same"] != digests["other"]


def test_the_scale_leads_back_to_the_values(load):
    task = Seasons(data=load)
    mean = json.loads(task.assets()["scale.json"])["mean"]
    steps = np.load(load).reshape(-1, 3).mean(1)
    np.testing.assert_allclose(
        mean * (1 + task.series.values), steps, rtol=1e-5
    )


@pytest.mark.slow
def test_a_week_is_learnt_and_exported(tmp_path, load):
    keras.utils.set_random_seed(1)
    task = Seasons(
        data=load, units=32, every=12, sequence_length=28, warm_up=14
    )
    model = task.model(steps=400)
    model.fit(
        task.training(0, 0), steps_per_epoch=400, shuffle=False, verbose=0
    )
    x, y = task.test
    error = model.evaluate(x, y, return_dict=True, verbose=0)["forecast_error"]
    assert error < 0.6 * task.trivial
    report = keras_moduli.export_tflite(
        model, tmp_path / "model.tflite", inputs=x, targets=y
    )
    assert report.file_metrics == {
        "forecast_error": pytest.approx(error, rel=1e-3)
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("units", 0),
        ("every", 1.5),
        ("warm_up", 96),
        ("learning_rate", -1),
        ("day", "x"),
    ],
)
def test_impossible_settings_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}`"):
        Seasons(**{name: value})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"every": 5}, "must divide"),
        ({"sequence_length": 500}, "longer"),
        ({"day": 2400, "every": 1}, "longer"),
    ],
)
def test_data_that_do_not_suit_are_refused(load, settings, message):
    with pytest.raises(ValueError, match=message):
        print(Seasons(data=load, **settings).validation)


def test_a_mean_of_zero_is_refused():
    with pytest.raises(ValueError, match="positive mean"):
        seasons.Series.of(np.tile([-1.0, 1.0], 5000))
