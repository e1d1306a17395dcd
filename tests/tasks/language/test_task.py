import itertools
import json
import math
import re

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import keras_moduli
from keras_moduli.tasks import language
from keras_moduli.tasks.language.task import Language


@given(
    seed=st.integers(0, 2**32),
    first=st.integers(0, 50),
    length=st.integers(1, 9),
)
def test_a_batch_depends_on_seed_and_step_only(seed, first, length):
    codes = np.arange(100, dtype=np.int32)
    whole = language.dataset(codes, length, 4, seed)
    part = language.dataset(codes, length, 4, seed, first_step=first)
    x, y = next(part)
    for skipped_to, expected in zip(
        (x, y), next(itertools.islice(whole, first, None)), strict=True
    ):
        np.testing.assert_array_equal(skipped_to, expected)
    np.testing.assert_array_equal(y, x + 1)  # the codes count up
    assert x.shape == (4, length)


def test_batches_reach_the_whole_text():
    codes = np.arange(10, dtype=np.int32)
    batches = itertools.islice(language.dataset(codes, 3, 16), 20)
    x, y = (np.concatenate(part) for part in zip(*batches, strict=True))
    assert set(x[:, 0]) == set(range(7))
    assert y.max() == 9


@given(count=st.integers(2, 60), length=st.integers(1, 7))
def test_windows_cover_the_text_once(count, length):
    codes = np.arange(count)
    x, y = language.windows(codes, length)
    np.testing.assert_array_equal(x.ravel(), codes[: x.size])
    np.testing.assert_array_equal(y.ravel(), codes[1 : x.size + 1])
    assert count - 1 - x.size < length


def test_bits_per_character_of_a_uniform_guess():
    metric = language.BitsPerCharacter()
    metric.update_state(np.array([[3, 1]]), np.zeros((1, 2, 64), "float32"))
    assert float(metric.result()) == pytest.approx(6.0, rel=1e-6)


def test_bits_per_character_by_hand_and_after_saving():
    metric = language.BitsPerCharacter.from_config(
        language.BitsPerCharacter().get_config()
    )
    logits = np.log(np.array([[[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]]))
    metric.update_state(np.array([[1, 2]]), logits.astype("float32"))
    expected = (2.0 - math.log2(0.8)) / 2
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)


def test_the_metric_leaves_regularisation_out():
    model = language.model(
        5, units=3, recurrent_regularizer=keras.regularizers.L1(100.0)
    )
    x = np.zeros((2, 4), "int32")
    logs = model.evaluate(x, x, return_dict=True, verbose=0)
    assert logs["loss"] > 50
    assert logs["bits_per_character"] < 5


@pytest.fixture
def text_file(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("the cat sat on the mat, and the dog did not. " * 100)
    return str(file)


@pytest.mark.parametrize(
    ("cell", "gates"), [("simple_rnn", 1), ("lstm", 4), ("gru", 3)]
)
def test_cells(cell, gates):
    model = language.model(9, units=5, cell=cell)
    shapes = {w.path: tuple(w.shape) for w in model.trainable_variables}
    (recurrent,) = (p for p in shapes if p.endswith("recurrent_kernel"))
    assert shapes[recurrent] == (5, gates * 5)
    with pytest.raises(ValueError, match="`cell` must be one of"):
        Language(cell="transformer")


def test_a_small_model_learns_the_text(text_file):
    task = Language((text_file,), units=32, sequence_length=16, batch_size=16)
    keras.utils.set_random_seed(0)
    model = task.model(steps=120)
    model.fit(
        task.training(0, 0), steps_per_epoch=120, shuffle=False, verbose=0
    )
    logs = model.evaluate(*task.validation, return_dict=True, verbose=0)
    # The text repeats itself; guessing by letter frequency costs 3.7 bits.
    assert logs[task.metric] < 1.0


def test_the_vocabulary_is_what_the_model_means(text_file):
    task = Language((text_file,))
    symbols = json.loads(task.assets()["vocabulary.json"])
    x, _ = task.validation
    decoded = "".join(symbols[code] for code in x[0])
    assert decoded == task.corpus.vocabulary.decode(x[0])
    assert decoded in "the cat sat on the mat, and the dog did not. " * 4


def test_other_text_is_other_data(tmp_path, text_file):
    other = tmp_path / "other.txt"
    other.write_text("another text. " * 500)
    assert Language((text_file,)).digest != Language((str(other),)).digest


def test_too_short_a_text_is_refused(tmp_path):
    file = tmp_path / "short.txt"
    file.write_text("x" * 40)
    task = Language((str(file),), sequence_length=10, batch_size=4)
    with pytest.raises(ValueError, match="too short for one batch") as error:
        task.describe()
    # What the message says is enough is enough.
    needed = int(re.search(r"at least (\d+) characters", str(error.value))[1])
    file.write_text("x" * needed)
    task = Language((str(file),), sequence_length=10, batch_size=4)
    x, _ = next(task.training(0, 0))
    assert x.shape == (4, 10)
    assert len(task.validation[0])


@pytest.mark.parametrize("name", ["units", "sequence_length", "batch_size"])
@pytest.mark.parametrize("value", [0, -3, 1.5, True])
def test_sizes_are_positive_integers(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be a positive"):
        Language(**{name: value})


@given(
    count=st.integers(2, 4),
    length=st.integers(1, 5),
    batch=st.integers(1, 4),
    first=st.integers(0, 9),
)
def test_carried_batches_go_on_from_each_other(count, length, batch, first):
    codes = np.arange(count * length * batch + 1)
    data = language.dataset(codes, length, batch, 0, first, carried=True)
    step, (x, y) = first, next(data)
    for following, after in itertools.islice(data, 2 * count):
        step += 1
        np.testing.assert_array_equal(y, x + 1)
        if step % count:
            np.testing.assert_array_equal(following[:, 0], y[:, -1])
        else:  # the text begins again, every stream at its own place
            np.testing.assert_array_equal(
                following[:, 0], np.arange(batch) * count * length
            )
        x, y = following, after


def test_state_is_carried_from_batch_to_batch(text_file):
    task = Language(
        (text_file,),
        level="word",
        units=6,
        layers=2,
        sequence_length=4,
        batch_size=2,
        recipe="sgd",
    )
    model = task.model(steps=1)
    x, y = task.validation
    whole = language.model(
        len(task.corpus.vocabulary),
        6,
        level="word",
        layers=2,
        recipe="sgd",
    )
    for target, source in zip(
        whole.trainable_variables, model.trainable_variables, strict=True
    ):
        target.assign(source)
    # Streams one after another, each in one piece.
    pieces = x.reshape(-1, 2, 4).swapaxes(0, 1).reshape(2, -1)
    logits = np.asarray(whole(pieces), "float64")
    expected = keras.losses.sparse_categorical_crossentropy(
        y.reshape(-1, 2, 4).swapaxes(0, 1).reshape(2, -1),
        logits,
        from_logits=True,
    )
    for _ in range(2):  # an evaluation begins with an empty state
        logs = model.evaluate(
            x,
            y,
            batch_size=task.evaluation_batch,
            callbacks=task.callbacks(),
            return_dict=True,
            verbose=0,
        )
        assert logs["perplexity"] == pytest.approx(
            np.exp(np.mean(expected)), rel=1e-4
        )


def test_perplexity_and_accuracy_by_hand():
    metric = language.Perplexity.from_config(language.Perplexity().get_config())
    logits = np.log(np.array([[[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]]))
    metric.update_state(np.array([[1, 2]]), logits.astype("float32"))
    assert float(metric.result()) == pytest.approx((0.25 * 0.8) ** -0.5)
    metric.update_state(np.array([[1]]), np.array([[[1e6, 0.0, 0.0]]]))
    assert np.isfinite(float(metric.result()))


def test_the_trivial_answer_knows_frequencies_only(text_file):
    task = Language((text_file,), level="word", sequence_length=4, batch_size=2)
    codes = task.corpus.training
    chance = (np.bincount(codes) + 1) / (np.bincount(codes) + 1).sum()
    expected = np.exp(-np.log(chance[task.corpus.test]).mean())
    assert task.trivial == pytest.approx(expected)
    characters = Language((text_file,))
    assert 3 < characters.trivial < 5  # bits


@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
def test_layers_have_points_of_their_own(cell):
    model = language.model(
        9,
        units=5,
        cell=cell,
        layers=2,
        recurrent_regularizer=keras_moduli.ModuliRegularizer(seed=3),
        kernel_l1=0.5,
    )
    one, two = (model.get_layer(n) for n in (cell, f"{cell}_2"))
    points = [x.recurrent_regularizer.embedding(5) for x in (one, two)]
    assert not np.allclose(*points)
    table = np.asarray(model.get_layer("embedding").embeddings)
    assert float(model.losses[0]) == pytest.approx(0.5 * np.abs(table).mean())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("level", "syllable"),
        ("recipe", "soup"),
        ("layers", 0),
        ("learning_rate", -1.0),
        ("kernel_l1", -1.0),
    ],
)
def test_other_settings_are_checked(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        Language(**{name: value})
