"""Metrics in the reports of exports, against those that Keras gives."""

import keras
import numpy as np
import pytest

import keras_moduli

RNG = np.random.default_rng(0)
X = RNG.normal(size=(37, 9, 5)).astype("float32")
Y = (X.mean((1, 2)) > 0).astype("int32")
CROSSENTROPY = "sparse_categorical_crossentropy"


def classifier(recurrent=None, **kwargs):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((None, 5)),
            recurrent or keras.layers.LSTM(16),
            keras.layers.Dense(2, activation="softmax"),
        ],
        **kwargs,
    )


@pytest.fixture(scope="module")
def model():
    model = classifier()
    model.compile("adam", CROSSENTROPY, metrics=["accuracy", CROSSENTROPY])
    return model


def exported(model, tmp_path, quantization=None, **options):
    options = {"layout": "dense", "inputs": X, "targets": Y, **options}
    path = tmp_path / "model.tflite"
    return keras_moduli.export_tflite(model, path, quantization, **options)


def evaluated(model, x=X, y=Y):
    found = model.evaluate(x, y, verbose=0, return_dict=True)
    return {name: v for name, v in found.items() if name != "loss"}


@pytest.mark.parametrize("streaming", [False, True])
def test_reports_hold_kerass_metrics_and_the_files(model, tmp_path, streaming):
    report = exported(model, tmp_path, batch_size=8, streaming=streaming)
    expected = evaluated(model)
    assert report.model_metrics == pytest.approx(expected, rel=1e-5)
    assert report.file_metrics == pytest.approx(expected, rel=1e-4)
    assert f"accuracy: {expected['accuracy']:.4g} of the Keras" in str(report)
    assert report.to_dict()["file_metrics"] == report.file_metrics


@pytest.mark.parametrize("quantization", ["int8", "full_int8"])
def test_a_coarse_file_has_metrics_of_its_own(model, tmp_path, quantization):
    report = exported(model, tmp_path, quantization, sequence_length=9)
    again = keras_moduli.evaluate_tflite(report.path, X, Y, model)
    assert report.file_metrics == again != report.model_metrics
    loss = report.model_metrics[CROSSENTROPY]
    assert report.file_metrics[CROSSENTROPY] == pytest.approx(loss, rel=0.1)


def test_metrics_can_be_given(tmp_path):
    model = classifier()  # not compiled
    loss = keras.losses.SparseCategoricalCrossentropy(name="loss_of_mine")
    report = exported(
        model,
        tmp_path,
        metrics=[
            "accuracy",
            loss,
            keras.metrics.SparseCategoricalAccuracy("share"),
        ],
    )
    answers = model.predict(X, verbose=0)
    expected = {
        "accuracy": np.mean(answers.argmax(1) == Y),
        "loss_of_mine": -np.log(answers[range(37), Y]).mean(),
        "share": np.mean(answers.argmax(1) == Y),
    }
    assert report.model_metrics == pytest.approx(expected, rel=1e-4)
    assert report.file_metrics == pytest.approx(expected, rel=1e-4)
    assert not model.compiled


def test_given_metrics_leave_those_of_the_model_alone(model, tmp_path):
    before = evaluated(model)
    other = "sparse_top_k_categorical_accuracy"
    report = exported(model, tmp_path, metrics=[other])
    assert report.file_metrics == {other: 1.0}
    assert evaluated(model) == before


@pytest.mark.slow
def test_sparse_layers_subclasses_and_mixed_precision(tmp_path):
    class Subclass(keras.Model):
        def __init__(self):
            super().__init__()
            self.net = classifier()

        def call(self, x):
            return {"words": self.net(x)}

    model = Subclass()
    model.compile(loss=CROSSENTROPY, metrics={"words": ["accuracy"]})
    model(X[:1])
    report = exported(model, tmp_path, targets={"words": Y})
    expected = evaluated(model, y={"words": Y})
    assert report.model_metrics == pytest.approx(expected)
    assert report.file_metrics == pytest.approx(expected)
    sparse = keras_moduli.layers.SparseGRU(16, fan_in=8, group_size=8)
    half = keras.layers.LSTM(16, dtype="mixed_float16")
    for model in classifier(sparse), classifier(half):
        model.compile(loss=CROSSENTROPY, metrics=[CROSSENTROPY])
        report = exported(model, tmp_path, streaming=True)
        expected = evaluated(model)
        assert report.model_metrics == pytest.approx(expected, rel=1e-3)
        assert report.file_metrics == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("streaming", [False, True, "both"])
def test_states_of_stateful_layers(tmp_path, streaming):
    """They go on from batch to batch, or begin with every stream."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(4, 9, 5)),
            keras.layers.LSTM(16, stateful=True, return_sequences=True),
            keras.layers.Dense(2),
        ]
    )
    model.compile("adam", "mse", metrics=["mae"])
    x, y = X[:36], RNG.normal(size=(36, 9, 2))
    report = exported(
        model,
        tmp_path,
        batch_size=4,
        streaming=streaming,
        inputs=x,
        targets=y,
        sequence_length=9,
    )
    model.layers[0].reset_states()
    goes_on = model.predict(x, batch_size=4, verbose=0)
    anew = []
    for batch in np.split(x, 9):
        model.layers[0].reset_states()
        anew.append(model.predict(batch, batch_size=4, verbose=0))
    answers = np.concatenate(anew) if streaming else goes_on
    expected = {"mae": pytest.approx(np.abs(answers - y).mean(), rel=1e-5)}
    assert report.model_metrics == expected
    assert report.file_metrics == expected
    assert np.abs(goes_on - np.concatenate(anew)).max() > 0.1


def test_what_cannot_be_measured_is_refused_before_the_export(model, tmp_path):
    legacy = pytest.importorskip("tf_keras")
    old = legacy.Sequential([legacy.layers.LSTM(2, input_shape=(9, 5))])
    for one, options, message in [
        (model, {"inputs": None}, "`inputs`, which must be given"),
        (model, {"targets": None, "metrics": ["mse"]}, "`targets`, which"),
        (model, {"targets": Y[:-1]}, "as many examples.*37 inputs.*36"),
        (model, {"targets": 1.0}, "as many examples"),
        (model, {"inputs": X[:0], "targets": Y[:0]}, "examples"),
        (classifier(), {}, "`model` must be compiled.*not compiled"),
        (old, {}, "Keras 3 model"),
    ]:
        with pytest.raises(ValueError, match=message):
            exported(one, tmp_path, **options)
        assert list(tmp_path.iterdir()) == []
    bare = classifier()
    bare.compile("adam", CROSSENTROPY)
    with pytest.raises(ValueError, match="compiled with `metrics`.*Received"):
        exported(bare, tmp_path)
    assert list(tmp_path.iterdir()) == []
