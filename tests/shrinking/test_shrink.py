"""Smaller models that compute the same, over random sparse weights."""

import keras
import numpy as np
import pytest
from hypothesis import Phase
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

import keras_moduli
from keras_moduli import dead_units
from keras_moduli import shrink
from keras_moduli.models.layers import is_graph

layers = keras.layers
FEATURES, STEPS = 3, 6
# As many connections per unit, whatever the number of gates.
EVEN = {layers.SimpleRNN: 0.16, layers.LSTM: 0.04, layers.GRU: 0.055}
RECURRENT = (layers.SimpleRNN, layers.LSTM, layers.GRU)


def sparsify(model, seed, density=0.25):
    """Random weights, most of them zero."""
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        values = rng.normal(size=variable.shape)
        if "bias" not in variable.path:
            values *= rng.random(variable.shape) < density
        variable.assign(values)
    return model


def inputs(model, seed=0, batch=2):
    shape = [n or STEPS for n in model.input_shape[1:]]
    rng = np.random.default_rng(seed)
    if any(isinstance(part, layers.Embedding) for part in model.layers):
        return rng.integers(0, 7, [batch, *shape])
    return rng.normal(size=[batch, *shape]).astype("float32")


def outputs(model, x):
    return [keras.ops.convert_to_numpy(y) for y in keras.tree.flatten(model(x))]


def assert_same_function(model, small, x=None):
    x = inputs(model) if x is None else x
    for one, other in zip(outputs(model, x), outputs(small, x), strict=True):
        scale = max(1.0, np.abs(one).max())
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6 * scale)


def sequential(*stack, **arguments):
    return keras.Sequential(
        [keras.Input((None, FEATURES), **arguments), *stack]
    )


def one(cls, **arguments):
    return sequential(
        cls(6, name="a", **arguments), layers.Dense(1, name="out")
    )


def stacked(cls, **arguments):
    return sequential(
        cls(6, return_sequences=True, name="a", **arguments),
        layers.Dropout(0.5),
        layers.GRU(5, return_sequences=True, name="b"),
        layers.Activation("tanh"),
        layers.TimeDistributed(layers.Dense(4, activation="relu"), name="c"),
        cls(5, name="d"),
        layers.Dense(2, activation="softmax", name="out"),
    )


def bidirectional(cls, **arguments):
    return sequential(
        layers.Bidirectional(
            cls(5, return_sequences=True, **arguments), name="both"
        ),
        layers.Bidirectional(
            layers.LSTM(4, name="forth"),
            backward_layer=layers.GRU(4, go_backwards=True, name="back"),
            name="mixed",
        ),
        layers.Dense(2, name="out"),
    )


def functional(cls, **arguments):
    x = keras.Input((None, FEATURES))
    a = cls(6, return_sequences=True, name="a", **arguments)(x)
    b = cls(5, return_sequences=True, name="b")(a)
    c = layers.Dense(4, activation="gelu", name="c")(a)
    inner = sequential_model(4)
    joined = layers.Concatenate()([b, inner(c)])
    last = layers.LSTM(4, name="last")(joined)
    out = layers.Dense(2, name="out")(last)
    return keras.Model(x, {"out": out, "b": layers.Dense(1, name="e")(b)})


def sequential_model(features):
    return keras.Sequential(
        [
            keras.Input((None, features)),
            layers.LSTM(5, return_sequences=True, name="deep"),
            layers.Dense(3, name="end"),
        ],
        name="inner",
    )


def embedded(cls, **arguments):
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(7, 4, mask_zero=True),
            cls(6, return_sequences=True, name="a", **arguments),
            layers.Masking(),
            layers.SpatialDropout1D(0.3),
            cls(5, name="b"),
            layers.RepeatVector(3),
            layers.Dense(2, name="out"),
        ]
    )


BUILDERS = (one, stacked, bidirectional, functional, embedded)


@pytest.mark.parametrize("build", BUILDERS)
@settings(
    max_examples=4, deadline=None, derandomize=True,
    phases=(Phase.explicit, Phase.generate),
)  # fmt: skip
@given(
    cls=st.sampled_from(RECURRENT),
    seed=st.integers(0, 2**31),
    density=st.floats(0.02, 0.5),
    use_bias=st.booleans(),
)
def test_same_function_over_random_masks(build, cls, seed, density, use_bias):
    model = sparsify(build(cls, use_bias=use_bias), seed, density)
    before = [v.copy() for v in model.get_weights()]
    dead = dead_units(model)
    small = shrink(model)
    assert_same_function(model, small)
    removed = sum(len(units) for units in dead.values())
    assert (small.count_params() < model.count_params()) == (removed > 0)
    # The old model is as it was, and a second time finds nothing.
    for value, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(value, now)
    assert dead_units(small) == {}
    assert shrink(small).count_params() == small.count_params()
    names = [layer.name for layer in model.layers]
    assert [layer.name for layer in small.layers] == names


@pytest.mark.parametrize("cls", RECURRENT)
@pytest.mark.parametrize("seed", range(2))
def test_exactly_the_units_without_influence_are_dead(cls, seed):
    # By another road: a unit is dead if moving its bias changes no output.
    units = 6
    model = keras.Sequential(
        [
            keras.Input((units + 2, FEATURES), dtype="float64"),
            cls(units, dtype="float64", return_sequences=True, name="a"),
            cls(units, dtype="float64", name="b"),
            layers.Dense(1, dtype="float64"),
        ]
    )
    sparsify(model, seed, density=EVEN[cls])
    x = np.random.default_rng(1).normal(size=(2, units + 2, FEATURES))
    (reference,) = outputs(model, x)
    found = {}
    for name in "ab":
        bias = model.get_layer(name).cell.bias
        value = keras.ops.convert_to_numpy(bias)
        still = []
        for unit in range(units):
            moved = value.reshape(*value.shape[:-1], -1, units).copy()
            moved[..., unit] += 0.7
            bias.assign(moved.reshape(value.shape))
            still.append(np.array_equal(outputs(model, x)[0], reference))
        bias.assign(value)
        found[name] = np.flatnonzero(still)
    dead = dead_units(model)
    for name, still in found.items():
        alone = len(still) == units  # one unit stays in any case
        np.testing.assert_array_equal(dead.get(name, []), still[alone:])
    assert sum(map(len, found.values())) > 0
    small = shrink(model)
    np.testing.assert_allclose(
        outputs(small, x)[0], reference, rtol=0, atol=1e-12
    )


def test_a_unit_that_only_feeds_itself_is_dead_and_a_chain_is_not():
    model = one(layers.SimpleRNN)
    recurrent = np.zeros((6, 6), "float32")
    recurrent[0, 1] = recurrent[1, 2] = 1.0  # 0 -> 1 -> 2 -> output
    recurrent[3, 3] = recurrent[4, 5] = recurrent[5, 4] = 1.0
    model.get_layer("a").cell.recurrent_kernel.assign(recurrent)
    read = np.zeros((6, 1), "float32")
    read[2] = 1.0
    model.get_layer("out").kernel.assign(read)
    np.testing.assert_array_equal(dead_units(model)["a"], [3, 4, 5])
    assert shrink(model).get_layer("a").units == 3
    assert_same_function(model, shrink(model))


def test_layers_that_nothing_reads_keep_one_unit():
    model = sparsify(stacked(layers.LSTM), 3, density=0.0)
    small = shrink(model)
    assert [
        small.get_layer(n).units for n in ("a", "b", "d")
    ] == [1, 1, 1]  # fmt: skip
    assert_same_function(model, small)
    assert dead_units(small) == {}


def whole():
    """Models in which the layer "a" must keep all its units."""

    def output():
        return sequential(layers.LSTM(5, name="a"))

    def state():
        x = keras.Input((None, FEATURES))
        a, h, c = layers.LSTM(5, return_state=True, name="a")(x)
        return keras.Model(x, [layers.Dense(1)(a), h])

    def states_of_both_directions():
        x = keras.Input((None, FEATURES))
        a, *states = layers.Bidirectional(
            layers.GRU(5, return_state=True), name="a"
        )(x)
        read = [layers.Dense(1)(h) for h in states]
        # Loses units, and reads a state that has not lost any.
        hidden = layers.Dense(6, name="hidden")(states[0])
        return keras.Model(x, [*read, layers.Dense(1)(hidden)])

    def initial_state():
        x = keras.Input((None, FEATURES))
        a = layers.GRU(5, name="a")(x)
        b = layers.GRU(5, name="b")(x, initial_state=a)
        return keras.Model(x, layers.Dense(1)(b))

    def softmax_units():
        return sequential(
            layers.SimpleRNN(5, activation="softmax", name="a"),
            layers.Dense(1),
        )

    def normalised():
        return sequential(
            layers.LSTM(5, name="a"),
            layers.LayerNormalization(),
            layers.Dense(1),
        )

    def softmax_layer():
        return sequential(
            layers.LSTM(5, name="a"),
            layers.Activation("softmax"),
            layers.Dense(1),
        )

    def shared_reader():
        x = keras.Input((None, FEATURES))
        dense = layers.Dense(1)
        a = layers.LSTM(5, name="a")(x)
        b = layers.LSTM(5, name="b")(x)
        return keras.Model(x, [dense(a), dense(b)])

    def shared():
        x, y = keras.Input((None, FEATURES)), keras.Input((None, FEATURES))
        a = layers.LSTM(5, name="a")
        return keras.Model(
            [x, y], [layers.Dense(1)(a(x)), layers.Dense(1)(a(y))]
        )

    def operation():
        x = keras.Input((None, FEATURES))
        a = layers.LSTM(5, name="a")(x)
        return keras.Model(x, layers.Dense(1)(keras.ops.flip(a, axis=-1)))

    def subclass():
        class Summing(layers.Dense):
            def call(self, x):
                return keras.ops.cumsum(super().call(x), axis=-1)

        return sequential(layers.LSTM(3), Summing(5, name="a"), layers.Dense(1))

    def summed():
        return sequential(
            layers.Bidirectional(layers.LSTM(5), merge_mode="sum", name="a"),
            layers.Dense(1),
        )

    def cells():
        return sequential(
            layers.RNN(layers.LSTMCell(5), name="a"), layers.Dense(1)
        )

    return {
        case.__name__: case
        for case in (
            output, state, states_of_both_directions, initial_state,
            softmax_units, normalised, softmax_layer, shared_reader, shared,
            operation, subclass, summed, cells,
        )
    }  # fmt: skip


@pytest.mark.parametrize("case", whole())
def test_layers_that_are_read_whole_stay_whole(case):
    model = sparsify(whole()[case](), 5, density=0.2)
    assert not any(path.startswith("a") for path in dead_units(model))
    small = shrink(model)
    x = inputs_of(model)
    assert_same_function(model, small, x)
    one, other = model.get_layer("a"), small.get_layer("a")
    assert other.count_params() == one.count_params()


def inputs_of(model):
    shapes = model.input_shape
    if isinstance(shapes, tuple):
        return inputs(model)
    rng = np.random.default_rng(0)
    return [rng.normal(size=(2, STEPS, FEATURES)) for _ in shapes]


def test_configurations_are_kept_but_a_moduli_regularizer():
    torus = keras_moduli.ModuliRegularizer("torus", seed=1)
    model = sequential(
        layers.LSTM(
            6,
            name="a",
            recurrent_regularizer=torus,
            kernel_regularizer=keras.regularizers.L1(0.1),
            recurrent_constraint=keras.constraints.MaxNorm(3.0),
            dropout=0.2,
        ),
        layers.Dense(1, name="out", bias_regularizer="l2"),
    )
    layer = shrink(sparsify(model, 0, 0.08)).get_layer("a")
    assert layer.units < 6
    assert layer.recurrent_regularizer is None
    assert float(layer.kernel_regularizer.l1) == pytest.approx(0.1)
    assert layer.recurrent_constraint.max_value == 3.0
    assert layer.dropout == 0.2
    # Nothing to remove, nothing to drop.
    kept = shrink(sparsify(model, 0, density=1.0)).get_layer("a")
    assert kept.units == 6
    assert kept.recurrent_regularizer.seed == 1


@pytest.mark.parametrize("density", [0.08, 1.0])
def test_trained_points_go_along_with_a_layer_that_stays(density):
    def torus():
        return keras_moduli.ModuliRegularizer("torus", seed=1, trainable=True)

    model = sequential(
        layers.LSTM(6, name="a", recurrent_regularizer=torus()),
        layers.Dense(1, name="out"),
    )
    model.compile("sgd", "mse")
    x = inputs(model)
    model.fit(x, np.ones((2, 1)), epochs=3, verbose=0)
    kernels = model.get_layer("a").cell
    rng = np.random.default_rng(0)
    kernels.recurrent_kernel.assign(rng.random((6, 24)) < density)
    read = np.ones((6, 1))
    read[3:] = density == 1.0
    model.get_layer("out").kernel.assign(read)
    small = shrink(model)
    assert_same_function(model, small, x)
    layer = small.get_layer("a")
    if density == 1.0:
        np.testing.assert_array_equal(
            layer.recurrent_regularizer.embedding(6),
            model.get_layer("a").recurrent_regularizer.embedding(6),
        )
    else:
        assert layer.units < 6 and layer.recurrent_regularizer is None


def test_state_goes_along():
    model = sequential(
        layers.GRU(6, stateful=True, name="a"),
        layers.Dense(1),
        batch_size=2,
    )
    sparsify(model, 0, density=0.08)
    x = inputs(model)
    model(x)
    small = shrink(model)
    assert small.get_layer("a").units < 6
    assert_same_function(model, small, x)
    assert_same_function(model, small, x)


@pytest.mark.slow
def test_after_training_with_pruning(tmp_path):
    keras.utils.set_random_seed(0)
    model = sequential(
        layers.LSTM(24, return_sequences=True, name="a"),
        layers.LSTM(16, name="b"),
        layers.Dense(1, name="out"),
    )
    model.compile("sgd", "mse")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, STEPS, FEATURES))
    model.fit(
        x, x.sum((1, 2)), batch_size=8, epochs=2, verbose=0,
        callbacks=[
            keras_moduli.MagnitudePruning(
                final_sparsity=0.995, weights="kernels", begin=0, end=0.5
            )
        ],
    )  # fmt: skip
    small = shrink(model)
    assert small.count_params() < model.count_params() / 4
    np.testing.assert_allclose(
        small.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6
    )
    # A plain model: it saves, loads and trains.
    small.save(tmp_path / "small.keras")
    loaded = keras.saving.load_model(tmp_path / "small.keras")
    assert_same_function(small, loaded, x)
    loaded.fit(x, x.sum((1, 2)), verbose=0)


def test_mixed_precision_and_unbuilt_input():
    model = keras.Sequential(
        [
            layers.LSTM(6, dtype="mixed_bfloat16", name="a"),
            layers.Dense(1, dtype="float32"),
        ]
    )
    model.build((None, STEPS, FEATURES))
    sparsify(model, 0, density=0.08)
    small = shrink(model)
    assert small.get_layer("a").units < 6
    assert small.get_layer("a").compute_dtype == "bfloat16"
    x = np.random.default_rng(0).normal(size=(2, STEPS, FEATURES))
    # Sums of bfloat16 numbers in another order.
    np.testing.assert_allclose(
        outputs(small, x)[0], outputs(model, x)[0], atol=0.02
    )


def test_bad_input():
    with pytest.raises(ValueError, match="must be built"):
        shrink(keras.Sequential([layers.LSTM(3)]))
    with pytest.raises(TypeError, match="Sequential or functional"):
        shrink(layers.LSTM(3))

    class Subclassed(keras.Model):
        def __init__(self, anything):
            super().__init__()

    assert not is_graph(Subclassed(object()))
    with pytest.raises(TypeError, match="Sequential or functional"):
        dead_units(Subclassed(object()))

    class Squared(keras.Model):
        def call(self, x):
            return super().call(x) ** 2

    x = keras.Input((None, FEATURES))
    squared = Squared(x, layers.Dense(1)(layers.LSTM(3)(x)))
    with pytest.raises(TypeError, match="Sequential or functional"):
        shrink(squared)
