"""Embeddings that are trained with the weights."""

import copy

import keras
import numpy as np
import pytest

from keras_moduli.models.kernels import EMBEDDING_NAME
from keras_moduli.models.kernels import kernels
from keras_moduli.regularizers.embedding_learning_rate import (
    EmbeddingLearningRate,
)
from keras_moduli.regularizers.embedding_learning_rate import trained_points
from keras_moduli.regularizers.moduli_regularizer import ModuliRegularizer

UNITS = 8


def regularizer(space="klein_bottle", **arguments):
    arguments = {"factor": 1.0, "seed": 3, **arguments}
    return ModuliRegularizer(space, trainable=True, **arguments)


LAYERS = {
    "LSTM": lambda: keras.layers.LSTM(
        UNITS, recurrent_regularizer=regularizer()
    ),
    "Bidirectional": lambda: keras.layers.Bidirectional(
        keras.layers.GRU(UNITS, recurrent_regularizer=regularizer())
    ),
    "stacked": lambda: keras.layers.RNN(
        [
            keras.layers.LSTMCell(UNITS, recurrent_regularizer=regularizer()),
            keras.layers.SimpleRNNCell(5, recurrent_regularizer=regularizer()),
        ]
    ),
}


def model_of(layer, optimizer="sgd"):
    model = keras.Sequential(
        [keras.Input((5, 3)), layer, keras.layers.Dense(1)]
    )
    model.compile(
        keras.optimizers.get(optimizer),
        keras.losses.MeanSquaredError(),
        jit_compile=False,  # compiling would take most of the time
    )
    model.optimizer.learning_rate = 0.05
    return model


def data():
    generator = np.random.default_rng(0)
    x = generator.standard_normal((16, 5, 3)).astype("float32")
    return x, x[:, :1, 0]


def embeddings(model):
    return [
        v
        for v in model.trainable_variables
        if v.path.endswith("/" + EMBEDDING_NAME)
    ]


def values(variables):
    return [keras.ops.convert_to_numpy(v) for v in variables]


def losses(model):
    return [float(loss) for loss in model.losses]


@pytest.mark.parametrize(
    "layer",
    [
        "LSTM",
        "stacked",
        pytest.param("Bidirectional", marks=pytest.mark.slow),
    ],
)
def test_points_move_and_come_back(layer, tmp_path):
    model = model_of(LAYERS[layer]())
    model.fit(*data(), epochs=3, verbose=0)
    found = embeddings(model)
    assert len(found) == (1 if layer == "LSTM" else 2)
    for points in values(found):
        start = regularizer().embedding(len(points))
        assert 0.01 < np.abs(points - start).max()
        assert regularizer().space.belongs(points).all()
    assert not any(EMBEDDING_NAME in path for path in kernels(model))

    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert losses(loaded) == losses(model)
    assert len(embeddings(loaded)) == len(found)
    # The optimizer's state too: both would go on alike.
    for ours, theirs in zip(
        model.optimizer.variables, loaded.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(*values([ours, theirs]))

    model.save_weights(tmp_path / "model.weights.h5")
    fresh = model_of(LAYERS[layer]())
    fresh.optimizer = None
    fresh.load_weights(tmp_path / "model.weights.h5")
    assert losses(fresh) == losses(model)

    cloned = keras.models.clone_model(model)
    cloned.set_weights(model.get_weights())
    assert losses(cloned) == losses(model)


def test_points_follow_the_gradient():
    model = model_of(LAYERS["LSTM"](), optimizer="sgd")
    before = losses(model)[0]
    kernel = model.layers[0].cell.recurrent_kernel
    held = keras.ops.convert_to_numpy(kernel)
    model.fit(*data(), epochs=5, verbose=0)
    # With the old weights, the new points cost less.
    kernel.assign(held)
    assert losses(model)[0] < before


def test_copies_hold_the_trained_points():
    model = model_of(LAYERS["LSTM"]())
    model.fit(*data(), verbose=0)
    trained = model.layers[0].cell.recurrent_regularizer
    copied = copy.deepcopy(trained)
    np.testing.assert_array_equal(
        copied.embedding(UNITS), trained.embedding(UNITS)
    )
    assert copied.variable(UNITS) is not trained.variable(UNITS)
    np.testing.assert_allclose(
        np.diag(keras.ops.convert_to_numpy(trained.penalty(UNITS))),
        81.1425,
        rtol=1e-5,
    )


def move_alone(rule, **arguments):
    """Moves 12 points against equal weights; returns their distances."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("a gradient tape is TensorFlow's")
    import tensorflow as tf

    moving = regularizer("torus", **{"inhibitor": rule, **arguments})
    weights = keras.Variable(np.ones((12, 12), "float32"), trainable=False)
    optimizer = keras.optimizers.Adam(0.1)
    points = moving.variable(12)
    optimizer.build([points])

    @tf.function
    def move():
        for _ in tf.range(300):
            with tf.GradientTape() as tape:
                value = moving(weights)
            optimizer.apply([tape.gradient(value, points.value)], [points])

    move()
    distance = keras.ops.convert_to_numpy(moving.space.distance(points))
    return distance[~np.eye(12, dtype=bool)]


def test_identity_inhibitor_collapses():
    assert move_alone("identity").mean() < 0.3


def test_dispersion_prevents_collapse():
    spread = move_alone("identity", factor=0.1, dispersion=1.0)
    assert spread.mean() > 1.5 and spread.min() > 0.1


def test_difference_of_gaussians_does_not_collapse():
    spread = move_alone("difference_of_gaussians")
    assert spread.mean() > 0.8 and spread.min() > 0.2


@pytest.mark.parametrize("space", ["klein_bottle", "sphere"])
def test_learning_rate_scales_and_freezes(space):
    class Track(keras.callbacks.Callback):
        def points(self):
            return values(embeddings(self.model))[0]

        def on_epoch_begin(self, epoch, logs=None):
            _ = self.model.losses
            self.before = self.points()

        def on_epoch_end(self, epoch, logs=None):
            where = regularizer(space).space
            distance = where.distance(self.before, self.points())
            self.moves.append(float(np.max(np.diag(distance))))
            assert where.belongs(self.points()).all()

    model = model_of(
        keras.layers.LSTM(UNITS, recurrent_regularizer=regularizer(space))
    )
    track = Track()
    track.moves = []
    rate = EmbeddingLearningRate(0.1, frozen_epochs=2)
    model.fit(
        *data(),
        batch_size=16,
        epochs=5,
        callbacks=[track, rate],
        verbose=0,
    )
    first, second, third, *frozen = track.moves
    assert frozen == [0.0, 0.0]
    # Adam's steps are of one size, so the rate is what shrinks them.
    np.testing.assert_allclose(second / first, 0.1, rtol=0.35)
    np.testing.assert_allclose(third / first, 0.01, rtol=0.5)


def test_learning_rate_needs_an_embedding():
    model = model_of(keras.layers.LSTM(UNITS))
    with pytest.raises(ValueError, match="trainable ModuliRegularizer"):
        model.fit(*data(), callbacks=[EmbeddingLearningRate()], verbose=0)


def test_learning_rate_of_a_model_built_by_its_first_batch():
    points = []
    for build in (False, True):
        keras.utils.set_random_seed(3)
        layer = keras.layers.LSTM(
            UNITS, recurrent_regularizer=regularizer("torus")
        )
        model = keras.Sequential([layer, keras.layers.Dense(1)])
        x, y = data()
        if build:
            model(x)
        model.compile("sgd", "mse")
        rate = EmbeddingLearningRate(0.1, frozen_epochs=1)
        model.fit(x, y, epochs=3, callbacks=[rate], shuffle=False, verbose=0)
        points.append(keras.ops.convert_to_numpy(trained_points(model)[0]))
    np.testing.assert_array_equal(*points)


def test_points_stay_out_of_exports(tmp_path):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("export is TensorFlow's")
    import tensorflow as tf

    from keras_moduli.export import export_saved_model

    model = model_of(LAYERS["LSTM"]())
    model.fit(*data(), verbose=0)
    export_saved_model(model, tmp_path / "saved_model")
    saved = tf.train.list_variables(
        str(tmp_path / "saved_model" / "variables" / "variables")
    )
    shapes = [tuple(shape) for _, shape in saved]
    assert (3, 4 * UNITS) in shapes and (UNITS, 2) not in shapes


def test_bad_inhibitors_are_found_before_training():
    moving = regularizer(inhibitor=lambda distance: distance - 1.0)
    with pytest.raises(ValueError, match="`inhibitor`.*at least 0"):
        moving.variable(UNITS)


def test_one_instance_serves_one_layer():
    shared = regularizer()
    model = keras.Sequential(
        [
            keras.Input((5, 3)),
            keras.layers.LSTM(
                UNITS, recurrent_regularizer=shared, return_sequences=True
            ),
            keras.layers.LSTM(UNITS, recurrent_regularizer=shared),
        ]
    )
    with pytest.raises(ValueError, match="serves one layer"):
        _ = model.losses


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"control": "permuted"}, "`control`"),
        ({"target_points": "uniform"}, "`target_points`"),
        ({"dispersion": -1.0}, "`dispersion`"),
    ],
)
def test_what_cannot_be_trained(arguments, message):
    with pytest.raises(ValueError, match=message):
        regularizer(**arguments)


def test_rectangular_kernels_are_refused():
    with pytest.raises(ValueError, match="recurrent kernels only"):
        regularizer(gates=1)(np.ones((4, 6), "float32"))


def test_subclasses_are_not_made_trainable_silently():
    class Mine(ModuliRegularizer):
        pass

    with pytest.raises(TypeError, match="trainable"):
        Mine(trainable=True)
    with pytest.raises(ValueError, match="dispersion"):
        ModuliRegularizer(dispersion=0.1)
