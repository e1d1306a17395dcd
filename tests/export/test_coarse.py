"""Files that are wrong are refused; files that are coarse are not."""

import keras
import numpy as np
import pytest

import keras_moduli
from keras_moduli.export import ExportError
from keras_moduli.export import candidates
from keras_moduli.export.verification.coarseness import distribution
from keras_moduli.export.verification.coarseness import typical_difference

UNITS = 64


@pytest.fixture(scope="module")
def chaotic():
    """A net that makes much of little, after some steps."""
    return unstable(keras.layers.SimpleRNN(UNITS, return_sequences=True), 2.6)


def unstable(layer, factor, steps=40):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((steps, 4)), layer, keras.layers.Dense(6)]
    )
    kernel = layer.cell.recurrent_kernel
    kernel.assign(factor * kernel)
    return model


def export(model, folder, **options):
    options = {"quantization": "int8", "layout": "dense", **options}
    return keras_moduli.export_tflite(
        model, folder / "model.tflite", batch_size=4, **options
    )


def test_a_coarse_file_is_warned_of(chaotic, tmp_path):
    with pytest.warns(UserWarning, match="coarse.*evaluate_tflite"):
        report = export(chaotic, tmp_path)
    assert report.relative_difference > 0.1 > report.median_difference
    assert report.median_difference <= report.high_difference
    assert any("coarse" in note for note in report.notes)
    assert "median" in str(report)


def test_who_gives_a_tolerance_means_it(chaotic, tmp_path):
    with pytest.raises(ExportError, match="0.1 is allowed"):
        export(chaotic, tmp_path, tolerance=0.1)
    assert not list(tmp_path.iterdir())


def test_a_float_file_of_a_chaotic_net_is_coarse_too(chaotic, tmp_path):
    with pytest.warns(UserWarning, match="coarse"):
        report = export(chaotic, tmp_path, quantization=None)
    assert report.median_difference < 1e-4


def test_a_float_file_that_is_a_little_off_is_wrong(
    chaotic, tmp_path, monkeypatch
):
    spoil(monkeypatch, lambda array: array + 0.001 * np.abs(array).max())
    with pytest.raises(ExportError, match="wrong, not only coarse"):
        export(chaotic, tmp_path, quantization=None)


@pytest.mark.parametrize("quantization", [None, "int8"])
def test_chaos_for_as_long_as_one_likes_is_coarse(tmp_path, quantization):
    """After so many steps nothing is left of what the model answers."""
    layer = keras.layers.SimpleRNN(UNITS, return_sequences=True)
    model = unstable(layer, 2.6, steps=120)
    with pytest.warns(UserWarning, match="coarse"):
        report = export(model, tmp_path, quantization=quantization)
    assert report.relative_difference > 0.5


@pytest.mark.parametrize("quantization", [None, "int8"])
def test_a_chaotic_net_streams(chaotic, tmp_path, quantization):
    """Keras's own steps are soon far from Keras's whole sequence."""
    with pytest.warns(UserWarning, match="coarse"):
        report = export(
            chaotic, tmp_path, quantization=quantization, streaming=True
        )
    assert report.relative_difference > 0.5


@pytest.mark.slow
def test_a_coarse_gru_with_biases_in_full_integers(tmp_path):
    """Its biases are folded into other integers where the states are zero."""
    layer = keras.layers.GRU(
        16, return_sequences=True, bias_initializer="normal"
    )
    model = unstable(layer, 20, steps=12)
    x = np.random.default_rng(0).normal(size=(32, 12, 4)).astype("float32")
    with pytest.warns(UserWarning, match="coarse"):
        export(model, tmp_path, quantization="full_int8", inputs=x)


def spoil(monkeypatch, how):
    """Every runtime answers something else than the file says."""
    right = candidates.answers

    def wrong(*arguments):
        for answered in right(*arguments):
            yield [
                {name: how(array.copy()) for name, array in batch.items()}
                for batch in answered
            ]

    monkeypatch.setattr(candidates, "answers", wrong)


def examples(array):
    array[len(array) // 2 :] = array[::-1][: len(array) // 2]
    return array


def one_number(array):
    array[..., 2] *= -1
    return array


def from_a_step_on(array):
    array[:, 3:] *= -1
    return array


def from_late_on(array):
    array[:, 25:] *= -1
    return array


def one_early_step(array):
    array[:, 5] = 0
    return array


def not_a_number(array):
    array[0, 0, 0] = np.nan
    return array


WRONG = [
    examples,
    one_number,
    from_a_step_on,
    from_late_on,
    one_early_step,
]


@pytest.mark.parametrize(
    "how", [*WRONG, not_a_number], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("quantization", ["int8", "float16", None])
def test_a_wrong_runtime_is_refused(
    chaotic, tmp_path, monkeypatch, how, quantization
):
    spoil(monkeypatch, how)
    with pytest.raises(ExportError):
        export(chaotic, tmp_path, quantization=quantization)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("quantization", ["int8", None])
def test_a_wrong_step_is_refused(chaotic, tmp_path, monkeypatch, quantization):
    spoil(monkeypatch, one_number)
    with pytest.raises(ExportError, match="wrong, not only coarse"):
        export(chaotic, tmp_path, quantization=quantization, streaming=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("units", [(0, 1), (3, 17), (62, 63)])
def test_a_renumbering_mistake_is_refused(
    chaotic, tmp_path, monkeypatch, units
):
    right = candidates._converted

    def mistaken(task, form, quantization):
        kernel = chaotic.layers[0].cell.recurrent_kernel
        before = kernel.numpy()
        swapped = before.copy()
        swapped[:, units] = before[:, units[::-1]]
        kernel.assign(swapped)
        try:
            return right(task, form, quantization)
        finally:
            kernel.assign(before)

    monkeypatch.setattr(candidates, "_converted", mistaken)
    with pytest.raises(ExportError):
        export(chaotic, tmp_path)


@pytest.mark.parametrize("streaming, count", [(False, 1), (True, 0)])
def test_unrolled_integers_are_said(tmp_path, streaming, count):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5, 4)), keras.layers.GRU(8)])
    inputs = np.random.default_rng(0).normal(size=(8, 5, 4))
    report = export(
        model,
        tmp_path,
        quantization="full_int8",
        streaming=streaming,
        inputs=inputs.astype("float32"),
    )
    said = [note for note in report.notes if "stored apart" in note]
    assert len(said) == count
    size = (tmp_path / "model.tflite").stat().st_size
    assert all(f"apart, {size:,} bytes in all" in note for note in said)


def test_typical_difference_by_hand():
    references = [{"y": np.ones((5, 20, 3))} for _ in range(3)]
    answers = [{"y": np.full((5, 20, 3), 1.125)} for _ in range(3)]
    assert typical_difference(answers, references) == 0.125
    assert distribution(answers, references) == (0.125, 0.125)
    for answer in answers:
        answer["y"][:, 8:] = 100.0  # roundings that have grown
        answer["y"][0] = 100.0  # a quarter of the examples
    assert typical_difference(answers, references) == 0.125


def test_outputs_of_open_length():
    references = [{"y": np.ones((2, n))} for n in (1, 7)]
    answers = [{"y": np.full((2, n), 1.25)} for n in (1, 7)]
    assert typical_difference(answers, references) == 0.25
