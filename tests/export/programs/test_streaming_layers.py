"""Which layers stream, with their past as state, and what is said of others."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from running import runner_of

from keras_moduli.export import export_tflite

L = keras.layers
FEATURES = 5


def sequential(*layers, shape=(None, FEATURES)):
    keras.utils.set_random_seed(3)
    return keras.Sequential([keras.Input(shape, name="x"), *layers])


def gru(units=24, **options):
    return L.GRU(units, return_sequences=True, **options)


def residual():
    """A block as in keyword spotting: depthwise, then pointwise, and around."""
    keras.utils.set_random_seed(3)
    x = inputs = keras.Input((None, FEATURES), name="x")
    x = L.Conv1D(16, 3, padding="causal", activation="relu")(x)
    y = L.DepthwiseConv1D(3, dilation_rate=2)(L.ZeroPadding1D((4, 0))(x))
    y = L.Conv1D(16, 1)(L.BatchNormalization()(y))
    return keras.Model(inputs, gru()(L.Add()([x, y])))


MODELS = {
    "dense per step": lambda: sequential(L.TimeDistributed(L.Dense(8)), gru()),
    "dense per step, fixed": lambda: sequential(
        L.TimeDistributed(L.Dense(8)), gru(), shape=(9, FEATURES)
    ),
    "images per step": lambda: sequential(
        L.Reshape((-1, FEATURES, 1)),
        L.TimeDistributed(L.Conv1D(3, 2, padding="same")),
        L.Conv2D(4, (1, 2)),
        L.MaxPooling2D((1, 2)),
        L.TimeDistributed(L.Flatten()),
        gru(),
    ),
    "sequences per step": lambda: sequential(
        L.Reshape((-1, FEATURES, 1)),
        L.TimeDistributed(L.Bidirectional(L.GRU(3))),
        gru(),
    ),
    "causal": lambda: sequential(
        L.Conv1D(40, 3, padding="causal", activation="relu"), gru()
    ),
    "causal, dilated, grouped": lambda: sequential(
        L.Conv1D(8, 3, padding="causal", dilation_rate=4),
        L.Conv1D(8, 2, padding="causal", groups=2),
        gru(),
    ),
    "convolutions alone": lambda: sequential(
        L.Conv1D(8, 4, padding="causal"), L.Dense(2)
    ),
    "depthwise": lambda: sequential(
        L.ZeroPadding1D((3, 0)), L.DepthwiseConv1D(4), gru()
    ),
    "separable": lambda: sequential(
        L.ZeroPadding1D((4, 0)),
        L.SeparableConv1D(8, 3, dilation_rate=2),
        gru(),
    ),
    "padded before valid": lambda: sequential(
        L.ZeroPadding1D((2, 0)), L.Conv1D(8, 3), gru()
    ),
    "residual": residual,
    "running mean": lambda: sequential(
        gru(), L.GlobalAveragePooling1D(), L.Dense(3)
    ),
    "running maximum": lambda: sequential(
        L.Dense(8), L.GlobalMaxPooling1D(keepdims=True), L.Dense(3)
    ),
    "mixed precision": lambda: sequential(
        L.Conv1D(8, 3, padding="causal", dtype="mixed_float16"),
        gru(dtype="mixed_float16"),
        L.GlobalAveragePooling1D(dtype="mixed_float16"),
    ),
    "unrolled": lambda: sequential(gru(unroll=True), shape=(9, FEATURES)),
    "no time axis left": lambda: sequential(
        L.GRU(6), L.Reshape((2, 3)), L.Permute((2, 1)), L.Flatten(), L.Dense(2)
    ),
}


def walk(path, x):
    """The answers of a one-step file to every step of `x`, by hand."""
    runner = runner_of(path)
    feed = {
        name: np.zeros(detail["shape"], detail["dtype"])
        for name, detail in runner.get_input_details().items()
    }
    answers = []
    for step in range(x.shape[1]):
        feed["x"] = x[:, step : step + 1]
        answer = runner(**feed)
        answers.append(answer.pop("output_0"))
        feed.update(answer)
    return answers


def wanted(model, x):
    """What Keras gives for the sequence after every step."""
    whole = model.predict(x, verbose=0)
    if whole.ndim == 3 and whole.shape[1] == x.shape[1]:
        return np.split(whole, x.shape[1], axis=1)
    return [
        model.predict(x[:, :length], verbose=0)
        for length in range(1, x.shape[1] + 1)
    ]


def data(model, batch_size=1, steps=30, seed=0):
    shape = (batch_size, model.input_shape[1] or steps, FEATURES)
    # Not about zero: a maximum that began with zeros would show.
    rng = np.random.default_rng(seed)
    return (rng.normal(size=shape) - 1).astype("float32")


def assert_streams(model, path, x, tolerance=1e-5):
    reference = np.stack(wanted(model, x))
    np.testing.assert_allclose(
        np.stack(walk(path, x)),
        reference,
        rtol=0,
        atol=tolerance * np.abs(reference).max(),
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_step_by_step_is_the_whole_sequence(name, tmp_path):
    model = MODELS[name]()
    export_tflite(model, tmp_path / "m.tflite", streaming=True)
    # Keras itself computes in half precision where asked to; the file does not.
    tolerance = 1e-2 if name == "mixed precision" else 1e-5
    assert_streams(model, tmp_path / "m.tflite", data(model), tolerance)


QUANTIZED = {"float16": 1e-2, "int8": 0.1, "full_int8": 0.15}


@pytest.mark.parametrize("quantization", QUANTIZED)
@pytest.mark.parametrize(
    "name",
    [
        "dense per step",
        "causal",
        "separable",
        "residual",
        "running mean",
        "running maximum",
    ],
)
@pytest.mark.slow
def test_quantized(name, quantization, tmp_path):
    model = MODELS[name]()
    arguments = dict(quantization=quantization, streaming=True)
    if quantization == "full_int8":
        arguments["inputs"] = data(model, 16, 60, seed=1)
        if name == "running mean":
            with pytest.raises(ValueError, match="a running mean: 8 bits"):
                export_tflite(model, tmp_path / "m.tflite", **arguments)
            assert not any(tmp_path.iterdir())
            return
    export_tflite(model, tmp_path / "m.tflite", **arguments)
    assert_streams(
        model, tmp_path / "m.tflite", data(model), QUANTIZED[quantization]
    )


def test_a_batch_and_both_forms_in_one_file(tmp_path):
    model = residual()
    path = tmp_path / "m.tflite"
    export_tflite(model, path, batch_size=3, streaming="both")
    x = data(model, 3)
    runner = Interpreter(str(path)).get_signature_runner("streaming")
    feed = {
        name: np.zeros(detail["shape"], detail["dtype"])
        for name, detail in runner.get_input_details().items()
    }
    reference = model.predict(x, verbose=0)
    for step in range(x.shape[1]):
        answer = runner(**{**feed, "x": x[:, step : step + 1]})
        np.testing.assert_allclose(
            answer.pop("output_0"), reference[:, step : step + 1], atol=1e-5
        )
        feed.update(answer)


def test_stateful_layers_begin_where_a_stream_begins(tmp_path):
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(2, 7, FEATURES), name="x"),
            gru(stateful=True),
            L.Dense(2),
        ]
    )
    x = data(model, 2, 7)
    model.predict(x, verbose=0)  # the model's own state moves on
    moved = keras.ops.convert_to_numpy(model.layers[0].states[0])
    path = tmp_path / "m.tflite"
    export_tflite(model, path, streaming=True)  # one stream, not two
    np.testing.assert_array_equal(model.layers[0].states[0], moved)
    assert model.layers[0].stateful
    answers = np.concatenate(walk(path, x[:1]), axis=1)
    model.layers[0].reset_states()
    np.testing.assert_allclose(
        answers, model.predict(x, verbose=0)[:1], atol=1e-5
    )


@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_layer_per_step_on_sequences_of_any_length(batch_size, tmp_path):
    """Of an open length Keras itself makes as many steps as examples."""
    model = sequential(L.TimeDistributed(L.Dense(4)), L.GRU(3))
    path = tmp_path / "m.tflite"
    export_tflite(model, path, batch_size=batch_size)
    runner = runner_of(path)
    for steps in (2, 3, 11):
        x = data(model, batch_size, steps)
        np.testing.assert_allclose(
            runner(x=x)["output_0"],
            # Not `predict`, which leaves the length open after a while.
            model(x),
            atol=1e-5,
        )


class Centred(L.Layer):
    """Looks at all steps at once."""

    def call(self, x):
        return x - keras.ops.mean(x, axis=1, keepdims=True)


class Echo(L.Layer):
    """Looks at one step long ago."""

    def call(self, x):
        past = keras.ops.pad(x, ((0, 0), (12, 0), (0, 0)))
        return x + past[:, : keras.ops.shape(x)[1]]


class Pairs(L.Layer):
    """Fails on a single step."""

    def call(self, x):
        return keras.ops.reshape(x, (keras.ops.shape(x)[0], -1, 2 * FEATURES))


def attending():
    x = keras.Input((None, FEATURES))
    return keras.Model(x, gru()(L.MultiHeadAttention(2, 4)(x, x)))


def operating():
    x = keras.Input((None, FEATURES))
    return keras.Model(x, gru()(x - keras.ops.mean(x, axis=1, keepdims=True)))


def twice():
    x = keras.Input((None, FEATURES))
    convolution = L.Conv1D(FEATURES, 2, padding="causal", name="mine")
    return keras.Model(x, convolution(convolution(x)))


REFUSED = {
    "same": (
        lambda: sequential(L.Conv1D(4, 3, padding="same", name="c"), gru()),
        "'.*c', a Conv1D, sees steps that are still to come.*causal",
    ),
    "valid": (
        lambda: sequential(L.Conv1D(4, 3), gru()),
        "no output for the first 2 steps.*causal",
    ),
    "valid, depthwise": (
        lambda: sequential(L.DepthwiseConv1D(4), gru()),
        r"Give it `ZeroPadding1D\(\(3, 0\)\)`",
    ),
    "padded too little": (
        lambda: sequential(L.ZeroPadding1D((1, 0)), L.Conv1D(4, 3), gru()),
        "pads sequences",
    ),
    "padded for nothing": (
        lambda: sequential(L.ZeroPadding1D((1, 0)), gru()),
        "pads sequences",
    ),
    "strides": (
        lambda: sequential(L.Conv1D(4, 2, strides=2), gru()),
        "leaves out steps",
    ),
    "maximum": (
        lambda: sequential(L.MaxPooling1D(2), gru()),
        "pools over time",
    ),
    "images": (
        lambda: sequential(
            L.Reshape((-1, 5, 1)),
            L.Conv2D(2, 3),
            L.TimeDistributed(L.Flatten()),
            gru(),
        ),
        "takes several steps together",
    ),
    "flat": (
        lambda: sequential(gru(), L.Flatten(), L.Dense(2), shape=(9, FEATURES)),
        "a Flatten, makes one vector of all steps. Use",
    ),
    "reshaped": (
        lambda: sequential(L.Reshape((3, 15)), gru(), shape=(9, FEATURES)),
        "a Reshape, mixes steps",
    ),
    "turned": (
        lambda: sequential(L.Permute((2, 1)), gru(), shape=(9, FEATURES)),
        "moves the time axis",
    ),
    "repeated": (
        lambda: sequential(L.GRU(3), L.RepeatVector(4), gru()),
        "makes a sequence of one vector",
    ),
    "shortened": (
        lambda: sequential(L.Cropping1D((1, 0)), gru()),
        "changes the number of steps",
    ),
    "normalized over time": (
        lambda: sequential(
            L.LayerNormalization(axis=(1, 2)), gru(), shape=(9, 5)
        ),
        "a LayerNormalization, works along the time axis",
    ),
    "normalized in groups": (
        lambda: sequential(L.GroupNormalization(5), gru()),
        "takes its statistics over all steps",
    ),
    "attention": (attending, "looks at all steps at once"),
    "masks": (
        lambda: sequential(L.Masking(), gru()),
        "^`streaming` computes one step at a time, but '.*', a Masking",
    ),
    "masks of an embedding": (
        lambda: keras.Sequential(
            [keras.Input((None,)), L.Embedding(5, 3, mask_zero=True), gru()]
        ),
        "Leave out `mask_zero`",
    ),
    "backwards": (
        lambda: sequential(gru(go_backwards=True)),
        "does not read forwards",
    ),
    "unknown": (
        lambda: sequential(Centred(name="mine"), gru()),
        "perhaps because of '.*mine'.*differ by",
    ),
    "unknown, far back": (
        lambda: sequential(Echo(name="mine"), gru()),
        "perhaps because of '.*mine'.*differ by",
    ),
    "operation": (operating, "the operation '.*mean'.*differ by"),
    "shared": (twice, "used once; '.*mine' is used 2 times"),
    "unknown, failing": (
        lambda: sequential(Pairs(name="mine"), L.Dense(3), gru()),
        "perhaps because of '.*mine'.*a single step",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_stream_is_refused_by_name(name, tmp_path):
    make, message = REFUSED[name]
    with pytest.raises(ValueError, match=message) as caught:
        export_tflite(make(), tmp_path / "m.tflite", streaming=True)
    assert "tolerance" not in str(caught.value)
    assert "None" not in str(caught.value)  # where Keras gives a layer no path
    assert "\x1b" not in str(caught.value)
    assert not any(tmp_path.iterdir())
