"""What `SparsityTensorBoard` writes, read back from the event files."""

import keras
import numpy as np
import pytest

import keras_moduli

tf = pytest.importorskip("tensorflow")
PATH = "lstm/lstm_cell/recurrent_kernel"


def events(folder):
    """A dict from tag to a dict from step to value, over all files."""
    found = {}
    for file in sorted(folder.glob("events*")):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                tensor = tf.make_ndarray(value.tensor)
                found.setdefault(value.tag, {})[event.step] = tensor
    return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    keras.utils.set_random_seed(0)
    regularizer = keras_moduli.ModuliRegularizer("torus", seed=0)
    model = keras.Sequential(
        [
            keras.Input((4, 3)),
            keras.layers.LSTM(
                16, recurrent_regularizer=regularizer, name="lstm"
            ),
            keras.layers.Dense(1, name="dense"),
        ]
    )
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(32, 4, 3)).astype("float32")
    callbacks = [
        keras_moduli.MagnitudePruning(final_sparsity=0.75, begin=0, end=0.5),
        keras_moduli.SparsityTensorBoard(str(folder), image_freq=3),
    ]
    fit = dict(epochs=6, batch_size=8, callbacks=callbacks, verbose=0)
    model.fit(x, x[:, 0, :1], **fit)
    return model, events(folder / "train")


def picture(encoded):
    """The image of a summary, whose strings are width, height and PNG."""
    return tf.io.decode_png(encoded[2], channels=1).numpy()[..., 0]


def test_sparsity_of_every_kernel_at_every_epoch(trained):
    model, found = trained
    for path, zeros in keras_moduli.sparsity(model).items():
        logged = found[f"sparsity/{path}"]
        assert sorted(logged) == list(range(6))
        assert logged[5] == pytest.approx(zeros, abs=1e-6)
    curve = found[f"sparsity/{PATH}"]
    assert curve[0] < curve[5] == pytest.approx(0.75)


def test_pictures_at_the_chosen_epochs_and_the_last(trained):
    _, found = trained
    for tag in (f"mask/{PATH}", f"sorted/{PATH}", "mask/dense/kernel"):
        assert sorted(found[tag]) == [0, 3, 5]
    assert "sorted/dense/kernel" not in found  # not on any space


def test_the_mask_is_that_of_the_model(trained):
    model, found = trained
    drawn = picture(found[f"mask/{PATH}"][5])
    np.testing.assert_array_equal(drawn > 0, keras_moduli.masks_of(model)[PATH])


def test_the_sorted_picture_is_that_of_plot_kernel(trained):
    from matplotlib.figure import Figure

    from keras_moduli import plotting

    model, found = trained
    kernel = model.get_layer("lstm").cell.recurrent_kernel
    ax = plotting.plot_kernel(
        keras.ops.convert_to_numpy(kernel),
        kernel.regularizer,
        ax=Figure().add_subplot(),
    )
    drawn = picture(found[f"sorted/{PATH}"][5]) > 0
    np.testing.assert_array_equal(drawn, ax.images[0].get_array())


def test_kerass_own_logs_are_there_too(trained):
    _, found = trained
    assert sorted(found["epoch_loss"]) == list(range(6))


def test_large_kernels_are_thinned(tmp_path):
    board = keras_moduli.SparsityTensorBoard(
        str(tmp_path), image_freq=1, image_size=10
    )
    model = keras.Sequential([keras.Input((40,)), keras.layers.Dense(15)])
    model.layers[0].name = "dense"
    kernel = np.zeros((40, 15), "float32")
    kernel[:20] = 1.0
    model.layers[0].kernel.assign(kernel)
    model.compile("sgd", "mse")
    board.set_model(model)
    board.set_params({"epochs": 1})
    board.on_train_begin()
    board.on_epoch_end(0, {})
    board.on_train_end()
    (found,) = [
        value
        for tag, value in events(tmp_path / "train").items()
        if tag.startswith("mask/")
    ]
    drawn = picture(found[0])
    assert drawn.shape == (10, 4)
    assert (drawn[:5] == 255).all() and (drawn[5:] == 0).all()


@pytest.mark.parametrize("argument", ["image_freq", "image_size"])
def test_impossible_numbers_are_refused(argument):
    with pytest.raises(ValueError, match=f"`{argument}`.*Received"):
        keras_moduli.SparsityTensorBoard(**{argument: -1})
