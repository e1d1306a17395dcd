"""Sparse layers in models: files, wrappers, training."""

import keras
import numpy as np
import pytest

import keras_moduli
from keras_moduli import layers
from keras_moduli.models.kernels import kernels

X = np.random.default_rng(0).standard_normal((8, 5, 3)).astype("float32")
SPARSE = {"fan_in": 12, "group_size": 8}
NAMES = ["LSTM", "GRU", "SimpleRNN"]
KINDS = ["near", "near+random", "own+random", "random", "own", "given"]


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(0)


def sparse(kind="LSTM", units=32, **kwargs):
    return getattr(layers, f"Sparse{kind}")(units, **{**SPARSE, **kwargs})


def cell(name, units=32, **kwargs):
    return getattr(layers, f"Sparse{name}Cell")(units, **SPARSE, **kwargs)


def model_of(*parts):
    return keras.Sequential([keras.Input((5, 3)), *parts])


def connections(kind):
    if kind != "given":
        return kind
    return np.stack([np.arange(3, 10), np.arange(20, 27)[::-1]])


@pytest.mark.parametrize("kind", KINDS)
def test_keras_file(tmp_path, kind):
    size = 16 if kind == "given" else 8
    layer = sparse("GRU", connections=connections(kind), group_size=size)
    model = model_of(layer)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.layers[0].sources, layer.sources)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.layers[0].get_config() == layer.get_config()


@pytest.mark.parametrize("name", NAMES)
def test_clone_and_weights_file(tmp_path, name):
    model = model_of(sparse(name, space="klein_bottle", connections="near"))
    clone = keras.models.clone_model(model)
    np.testing.assert_array_equal(
        clone.layers[0].sources, model.layers[0].sources
    )
    assert clone.layers[0].seed == model.layers[0].seed
    model.save_weights(tmp_path / "model.weights.h5")
    clone.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(clone.predict(X), model.predict(X))


@pytest.mark.parametrize(
    "kwargs",
    [
        {"activation": "relu", "dropout": 0.1, "recurrent_dropout": 0.2},
        {"return_sequences": True, "go_backwards": True, "unroll": True},
        {"recurrent_regularizer": "l1", "activity_regularizer": "l2"},
        {"dtype": "mixed_bfloat16", "name": "other", "trainable": False},
        {"kernel_constraint": "max_norm", "recurrent_constraint": "non_neg"},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", NAMES)
def test_config(name, kwargs):
    layer = sparse(name, **kwargs)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    plain = getattr(keras.layers, name)(32, **kwargs).get_config()
    plain.pop("seed", None)
    plain.pop("use_cudnn", None)
    if "name" not in kwargs:
        plain.pop("name")
    if name == "SimpleRNN":
        plain.pop("activity_regularizer")  # which Keras loses
    ours = layer.get_config()
    assert {key: ours[key] for key in plain} == plain


@pytest.mark.parametrize(
    "inputs",
    [
        {"kernel_fan_in": 2},
        {"kernel_fan_in": 0.5, "kernel_connections": "near+random"},
        {"kernel_connections": [[2, 0], [1, 2]]},
        {"kernel_connections": np.ones((3, 32), bool)},
    ],
    ids=range(4),
)
@pytest.mark.parametrize("name", NAMES)
def test_input_connections_stay(tmp_path, name, inputs):
    model = model_of(sparse(name, seed=None, **inputs))
    sources = model.layers[0].kernel_sources
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    for copy in (loaded, keras.models.clone_model(model)):
        (layer,) = copy.layers
        np.testing.assert_array_equal(layer.kernel_sources, sources)
        assert layer.get_config() == model.layers[0].get_config()


def test_fan_in_is_the_number_where_connections_say_it():
    given = sparse(connections=connections("given"), group_size=None)
    assert (given.fan_in, given.group_size) == (7, 16)
    assert sparse(connections="own").fan_in == 8
    assert sparse(fan_in=0.5).fan_in == 0.5


def test_an_unknown_argument():
    with pytest.raises((TypeError, ValueError), match="density"):
        sparse(density=0.1)


def wrapped(name, inputs):
    yield keras.layers.Bidirectional(
        sparse(name, return_sequences=True, **inputs)
    )
    yield keras.layers.RNN(cell(name, **inputs))
    cells = [cell(name, **inputs), cell(name, 64, **inputs)]
    yield keras.layers.RNN(keras.layers.StackedRNNCells(cells))


@pytest.mark.parametrize(
    "inputs",
    [pytest.param({}, marks=pytest.mark.slow), {"kernel_fan_in": 2}],
    ids=str,
)
@pytest.mark.parametrize("wrapper", range(3))
@pytest.mark.parametrize("name", NAMES)
def test_wrappers(tmp_path, name, wrapper, inputs):
    model = model_of(list(wrapped(name, inputs))[wrapper])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(X), model(X))
    plain = layers.to_plain(model)
    np.testing.assert_allclose(plain(X), model(X), atol=1e-6)
    again = layers.to_sparse(plain)
    np.testing.assert_allclose(again(X), model(X), atol=1e-6)
    assert again.count_params() == model.count_params()


@pytest.mark.parametrize(
    "compiled", [False, pytest.param(True, marks=pytest.mark.slow)]
)
def test_time_distributed(compiled):
    nested = keras.Sequential([keras.Input((5, 3)), sparse("LSTM")])
    model = keras.Sequential(
        [
            keras.Input((4, 5, 3)),
            keras.layers.TimeDistributed(nested, name="windows"),
            keras.layers.TimeDistributed(keras.layers.Dense(6)),
            keras.layers.Reshape((2, 2, 6)),
            keras.layers.TimeDistributed(sparse("GRU", kernel_fan_in=2)),
        ]
    )
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype("float32")
    if compiled:
        model.compile("sgd", "mse")
        model.fit(x, np.zeros((2, 2, 32)), verbose=0)
    plain = layers.to_plain(model)
    assert plain.layers[0].name == "windows"
    assert type(plain.layers[0].layer.layers[0]) is keras.layers.LSTM
    assert type(plain.layers[3].layer) is keras.layers.GRU
    np.testing.assert_allclose(plain(x), model(x), atol=1e-6)
    again = layers.to_sparse(plain)
    assert again.count_params() == model.count_params()
    np.testing.assert_allclose(again(x), model(x), atol=1e-6)
    if compiled:
        assert int(again.optimizer.iterations) == 1


class Subclassed(keras.Model):
    def __init__(self, recurrent):
        super().__init__(name="mine")
        self.recurrent = recurrent

    def call(self, inputs):
        return self.recurrent(inputs)

    def get_config(self):
        return {"recurrent": self.recurrent}


class Block(keras.layers.Layer):
    """A layer with another one in an attribute of any name."""

    def __init__(self, recurrent, **kwargs):
        super().__init__(**kwargs)
        self.heart = recurrent

    def call(self, inputs):
        return self.heart(inputs)

    def get_config(self):
        return {**super().get_config(), "recurrent": self.heart}


def zeroed(layer):
    """A built plain layer with the zeros of a sparse one."""
    layer.build((None, 5, 3))
    kernel = layer.cell.recurrent_kernel
    twin = sparse()
    kernel.assign(kernel * layers.mask(twin))
    return layer


def test_subclassed_models_are_named():
    mine = Subclassed(sparse())
    mine(X)
    with pytest.raises(ValueError, match="functional.*model='mine'"):
        layers.to_plain(mine)
    plain = Subclassed(zeroed(keras.layers.LSTM(32)))
    plain(X)
    with pytest.raises(ValueError, match="functional.*Subclassed"):
        layers.to_sparse(plain)


@pytest.mark.parametrize("kind", [Subclassed, Block])
def test_layers_that_hold_others_are_named(kind):
    model = model_of(kind(sparse(name="inner")))
    with pytest.raises(ValueError, match="inner.*layer '(mine|block)"):
        layers.to_plain(model)
    model = model_of(kind(zeroed(keras.layers.LSTM(32, name="inner"))))
    with pytest.raises(ValueError, match="inner.*layer '(mine|block)"):
        layers.to_sparse(model)


def test_layers_that_hold_nothing_to_convert_do_not_matter():
    dense = keras.layers.LSTM(8, return_sequences=True)
    model = model_of(Block(dense), sparse())
    plain = layers.to_plain(model)
    assert type(plain.layers[1]) is keras.layers.LSTM


def test_frozen_layers_are_converted():
    model = model_of(sparse(trainable=False), keras.layers.Dense(2))
    again = layers.to_sparse(layers.to_plain(model))
    np.testing.assert_allclose(again(X), model(X), atol=1e-6)


def test_stacked_layers_with_masks_of_time_steps():
    x = np.array([[1, 2, 3, 0], [4, 0, 0, 0]])
    model = keras.Sequential(
        [
            keras.layers.Embedding(5, 3, mask_zero=True),
            sparse("LSTM", return_sequences=True),
            sparse("GRU"),
        ]
    )
    np.testing.assert_allclose(model(x)[1], model(x[1:, :1])[0], atol=1e-6)


@pytest.mark.slow
def test_fit_learns():
    keras.utils.set_random_seed(0)
    y = X.sum(axis=(1, 2), keepdims=True)[:, 0]
    model = model_of(
        sparse("LSTM", return_sequences=True),
        sparse("GRU", return_sequences=True, dropout=0.01),
        sparse("SimpleRNN", recurrent_dropout=0.01),
        keras.layers.Dense(1),
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")
    loss = model.fit(X, y, epochs=20, verbose=0).history["loss"]
    assert loss[-1] < 0.3 * loss[0]
    for layer in model.layers[:3]:
        shape = layer.cell.recurrent_kernel.shape
        moments = [v for v in model.optimizer.variables if v.shape == shape]
        assert len(moments) == 2


def functional():
    x = keras.Input((5, 3))
    nested = keras.Sequential(
        [keras.Input((5, 32)), sparse("GRU", reset_after=False)], name="top"
    )
    y = sparse("LSTM", return_sequences=True, connections="near")(x)
    z = keras.layers.LSTM(8)(x)
    y = keras.layers.Concatenate()([nested(y), z])
    return keras.Model(x, keras.layers.Dense(2)(y))


def test_to_plain_and_back():
    model = functional()
    plain = layers.to_plain(model)
    np.testing.assert_allclose(plain(X), model(X), atol=1e-6)
    kinds = {type(layer) for layer in plain.layers}
    assert keras.layers.LSTM in kinds and layers.SparseLSTM not in kinds
    again = layers.to_sparse(plain)
    np.testing.assert_allclose(again(X), model(X), atol=1e-6)
    assert again.count_params() == model.count_params()
    np.testing.assert_array_equal(
        again.layers[1].sources, model.layers[1].sources
    )


def test_to_sparse_takes_masks():
    model = model_of(sparse("LSTM", recurrent_initializer="zeros"))
    plain = layers.to_plain(model)
    name = plain.layers[0].name
    (path,) = (p for p in kernels(plain) if p.endswith("recurrent_kernel"))
    assert path.startswith(f"{name}/")
    masks = {path: layers.mask(model.layers[0])}
    keras_moduli.apply_masks(plain, masks)  # names them alike
    again = layers.to_sparse(plain, masks)
    np.testing.assert_array_equal(
        again.layers[0].sources, model.layers[0].sources
    )


def test_sparse_inputs_of_a_dense_recurrent_kernel():
    inputs = {"kernel_fan_in": 2, "group_size": 16, "seed": 1}
    model = model_of(sparse("GRU", **{**inputs, "fan_in": 1.0}))
    # Two groups that read the same would be one.
    assert len(np.unique(model.layers[0].kernel_sources, axis=0)) == 2
    again = layers.to_sparse(layers.to_plain(model))
    assert again.layers[0].kernel_sources.shape == (2, 2)
    assert again.layers[0].sources.shape == (1, 32)
    np.testing.assert_allclose(again(X), model(X), atol=1e-6)


def test_an_input_kernel_without_groups_stays_dense():
    plain = layers.to_plain(model_of(sparse("LSTM")))
    kernel = plain.layers[0].cell.kernel
    kernel.assign(kernel * np.eye(3, 128, dtype="float32"))
    again = layers.to_sparse(plain)
    assert again.layers[0].kernel_sources is None
    np.testing.assert_allclose(again(X), plain(X), atol=1e-6)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"kernel_fan_in": 4}, "`kernel_fan_in`.*integer from 1 to 3"),
        ({"kernel_fan_in": 0.0}, "`kernel_fan_in` must be a float"),
        ({"kernel_connections": "far"}, "`kernel_connections` must be an int"),
        ({"kernel_connections": [[3]]}, "`kernel_connections`.*from 0 to 2"),
        ({"kernel_connections": [[1], [2], [0]]}, "a row for each group"),
        ({"kernel_connections": np.ones((4, 32), bool)}, "from 0 to 2"),
        ({"kernel_connections": np.ones((3, 31), bool)}, "shape .3, 32."),
    ],
    ids=range(7),
)
def test_input_connections_that_cannot_be(inputs, message):
    with pytest.raises(ValueError, match=message) as error:
        model_of(sparse("GRU", **inputs))
    assert "Received: " in str(error.value)


def test_to_sparse_tells_what_it_cannot():
    model = model_of(keras.layers.LSTM(16))
    with pytest.raises(ValueError, match="has no zeros") as caught:
        layers.to_sparse(model)
    variable = model.layers[0].cell.recurrent_kernel
    (path,) = (p for p in kernels(model) if p.endswith("recurrent_kernel"))
    assert caught.value.report == {path: "has no zeros"}
    kernel = variable.numpy()
    kernel[0, ::16] = 0.0
    variable.assign(kernel)
    with pytest.raises(ValueError, match="equally many sources"):
        layers.to_sparse(model)


def test_mask_is_of_sparse_layers():
    with pytest.raises(ValueError, match="must be a sparse layer"):
        layers.mask(keras.layers.LSTM(8))
    with pytest.raises(ValueError, match="one of kernel, recurrent_kernel"):
        layers.mask(sparse(), "bias")
    with pytest.raises(ValueError, match="must be built"):
        layers.mask(sparse(), "kernel")


def pruned(model, **kwargs):
    model.compile("sgd", "mse")
    y = np.zeros((8, 32), "float32")
    callback = keras_moduli.MagnitudePruning(
        final_sparsity=0.5, begin=0.0, end=0.5, **kwargs
    )
    model.fit(X, y, batch_size=2, epochs=2, verbose=0, callbacks=[callback])
    return kernels(model)


def zeros(kernel):
    return float(np.mean(keras.ops.convert_to_numpy(kernel) == 0))


def test_pruning_leaves_sparse_layers_as_they_are():
    keras.utils.set_random_seed(0)
    plain = keras.layers.GRU(32, return_sequences=True, name="plain")
    found = pruned(model_of(plain, sparse(name="sparse")))
    assert zeros(found["plain/gru_cell/recurrent_kernel"]) == 0.5
    assert zeros(found["sparse/sparse_lstm_cell/recurrent_kernel"]) == 0


@pytest.mark.parametrize("rewrap", [lambda m: m, keras.models.clone_model])
def test_pruning_of_sparse_layers_only_is_refused(rewrap):
    model = rewrap(model_of(sparse()))
    with pytest.raises(ValueError, match="selects nothing.*sparse already"):
        pruned(model)


def test_pruning_of_sparse_layers_that_are_named():
    keras.utils.set_random_seed(0)
    found = pruned(model_of(sparse()), weights="recurrent_kernel")
    assert [zeros(k) for p, k in found.items() if "recurrent" in p] == [0.5]
