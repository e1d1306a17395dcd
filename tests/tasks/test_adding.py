import itertools

import keras
import numpy as np
import pytest

from keras_moduli.tasks import adding
from keras_moduli.tasks.adding import Adding


def test_targets_are_the_sums_of_two_marked_numbers():
    x, y = adding.examples(5000, 9, np.random.default_rng(0))
    numbers, marker = x[..., 0], x[..., 1]
    assert x.dtype == y.dtype == np.float32
    assert np.all((numbers >= 0) & (numbers < 1))
    assert set(np.unique(marker)) == {0.0, 1.0}
    np.testing.assert_array_equal(marker.sum(1), 2)
    by_hand = [sum(n for n, m in sequence if m) for sequence in x[:50]]
    np.testing.assert_allclose(y[:50, 0], by_hand, rtol=1e-6)
    # Every place is marked as often as any other: 5000 * 2 / 9 times.
    assert np.all(np.abs(marker.sum(0) - 1111) < 5 * 33)
    # Two uniform numbers: mean 1, variance 1/6.
    assert y.mean() == pytest.approx(1, abs=0.02)
    assert y.var() == pytest.approx(1 / 6, rel=0.05)


def test_a_batch_depends_on_seed_and_step_only():
    whole = list(itertools.islice(adding.dataset(5, 3, seed=4), 8))
    (later,) = itertools.islice(adding.dataset(5, 3, seed=4, first_step=7), 1)
    for part, expected in zip(later, whole[7], strict=True):
        np.testing.assert_array_equal(part, expected)
    other = next(adding.dataset(5, 3, seed=5))
    assert not np.array_equal(other[0], whole[0][0])


def test_validation_is_the_same_for_every_run_and_nothing_trained_on():
    task = Adding(sequence_length=5, batch_size=3, validation_size=3)
    x, _ = task.validation
    np.testing.assert_array_equal(
        x, Adding(sequence_length=5, validation_size=3).validation[0]
    )
    for seed, step in itertools.product(range(3), range(20)):
        assert not np.isin(next(task.training(seed, step))[0][..., 0], x).any()


def test_the_model_is_that_of_the_paper():
    model = Adding().model(steps=1)
    kernel, recurrent, bias, readout, offset = model.get_weights()
    assert kernel.shape == (2, 128)
    assert recurrent.shape == (128, 128)
    assert (bias.shape, readout.shape, offset.shape) == (
        (128,),
        (128, 1),
        (1,),
    )
    x = np.random.default_rng(0).random((3, 50, 2), "float32")
    state = np.zeros((3, 128))
    for step in range(50):
        state = np.maximum(x[:, step] @ kernel + state @ recurrent + bias, 0)
    np.testing.assert_allclose(
        model.predict(x, verbose=0), state @ readout + offset, rtol=1e-4
    )


@pytest.mark.slow
def test_short_sums_are_learnt():
    keras.utils.set_random_seed(1)
    task = Adding(
        units=32, sequence_length=4, learning_rate=5e-3, validation_size=500
    )
    model = task.model(steps=400)
    model.fit(
        task.training(0, 0), steps_per_epoch=400, shuffle=False, verbose=0
    )
    logs = model.evaluate(*task.validation, return_dict=True, verbose=0)
    assert logs["mse"] < 0.05  # answering 1 gives 0.167


@pytest.mark.parametrize(
    ("name", "value"),
    [("units", 0), ("sequence_length", 1), ("batch_size", 1.5)],
)
def test_impossible_sizes_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}`"):
        Adding(**{name: value})


def test_test_data_are_others_and_the_trivial_answer_is_known():
    task = Adding(sequence_length=5, validation_size=2000)
    (x, _), (other, _) = task.validation, task.test
    first, second = (keras.tree.flatten(part)[0] for part in (x, other))
    # Single-precision numbers meet by chance, but rarely.
    assert np.isin(first[:, 0, 0], second).mean() < 0.01
    assert task.trivial == pytest.approx(1 / 6, rel=0.1)
