"""Real fits: weights exactly sparse at every batch, whatever the training."""

import keras
import numpy as np
import pytest
import tensorflow_model_optimization as tfmot

import keras_moduli
from keras_moduli import patterns
from keras_moduli.models.kernels import kernels
from keras_moduli.models.optimizers import averages_of

layers = keras.layers
STEPS = 24  # batches of an epoch; the schedule below ends in it
X = np.random.default_rng(0).normal(size=(STEPS * 4, 5, 3)).astype("float32")
Y = X.sum((1, 2))[:, None]


def schedule(final=0.8, end=20, frequency=7):
    return tfmot.sparsity.keras.PolynomialDecay(
        0.0, final, begin_step=2, end_step=end, frequency=frequency
    )


def lstm(units=8, **arguments):
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((5, 3)),
            layers.LSTM(units, name="lstm", **arguments),
            layers.Dense(1, name="dense"),
        ]
    )


def fit(model, *callbacks, epochs=1, **arguments):
    return model.fit(
        X, Y, batch_size=4, epochs=epochs, verbose=0, callbacks=callbacks,
        **arguments,
    )  # fmt: skip


def zeros(variable):
    return int(np.sum(keras.ops.convert_to_numpy(variable) == 0))


class Probe(keras.callbacks.Callback):
    """Records how many weights are zero after every batch."""

    def __init__(self, variable):
        super().__init__()
        self.variable = variable
        self.history = []

    def on_train_batch_end(self, batch, logs=None):
        self.history.append(zeros(self.variable))


def expected_zeros(size, final=0.8, end=20, frequency=7):
    """How many weights are pruned after each step, computed by TF-MOT."""
    decay = schedule(final, end, frequency)
    counts = []
    for step in range(1, STEPS + 1):
        # The step at which TF-MOT last acted, or the end.
        past = [s for s in range(step + 1) if bool(decay(s)[0])]
        if step >= end:
            target = final
        else:
            target = float(decay(past[-1])[1]) if past else 0.0
        counts.append(size - round(size * (1 - target)))
    return counts


COMPILE = {
    "plain": dict(optimizer="adam"),
    "jit": dict(optimizer="adam", jit_compile=True),
    "eager": dict(optimizer="sgd", run_eagerly=True),
    "clipping": dict(optimizer=keras.optimizers.Adam(clipnorm=0.1)),
    "decay": dict(optimizer=keras.optimizers.AdamW(weight_decay=0.1)),
    "momentum": dict(optimizer=keras.optimizers.SGD(0.1, momentum=0.9)),
    "averaging": dict(
        optimizer=keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9)
    ),
}


@pytest.mark.parametrize("setting", COMPILE)
def test_exactly_sparse_after_every_step(setting):
    model = lstm()
    arguments = COMPILE[setting]
    if not isinstance(arguments["optimizer"], str):
        # Optimizers hold state, and tests must not share it.
        optimizer = arguments["optimizer"]
        arguments = {
            **arguments,
            "optimizer": type(optimizer).from_config(optimizer.get_config()),
        }
    model.compile(loss="mse", **arguments)
    kernel = model.get_layer("lstm").cell.recurrent_kernel
    before, after = Probe(kernel), Probe(kernel)
    pruning = keras_moduli.MagnitudePruning(schedule())
    fit(model, before, pruning, after)
    expected = expected_zeros(8 * 32)
    assert after.history == expected
    # `before` looks when only the compiled step has acted: a step in which
    # masks did not change must have kept its zeros by itself.
    held = [0, *expected[:-1]]
    assert before.history == held
    assert zeros(kernel) == expected[-1]
    assert pruning.sparsity == expected[-1] / 256


def test_factors_of_lora_are_no_kernels():
    model = lstm()
    model.get_layer("dense").enable_lora(2)
    assert list(kernels(model)) == [
        "lstm/lstm_cell/kernel",
        "lstm/lstm_cell/recurrent_kernel",
    ]


def test_averaged_weights_are_sparse_too():
    model = lstm()
    model.compile(
        keras.optimizers.Adam(0.05, use_ema=True, ema_momentum=0.9), "mse"
    )
    kernel = model.get_layer("lstm").cell.recurrent_kernel
    pruning = keras_moduli.MagnitudePruning(schedule(end=12))
    seen = []

    class Averages(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            (average,) = averages_of(model, kernel)
            dead = keras.ops.convert_to_numpy(kernel) == 0
            seen.append(
                float(np.abs(keras.ops.convert_to_numpy(average))[dead].sum())
            )

    fit(model, pruning, Averages())
    assert seen == [0.0] * STEPS
    # After `fit` the averages are the weights.
    assert zeros(kernel) == 256 - round(256 * 0.2)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((5, 3)),
            layers.GRU(8, dtype=policy),
            layers.Dense(1, dtype="float32"),
        ]
    )
    optimizer = keras.optimizers.SGD(0.01)
    if policy == "mixed_float16":
        # A scale that float16 can hold, so that no step is skipped.
        optimizer = keras.optimizers.LossScaleOptimizer(
            optimizer, initial_scale=8.0
        )
    model.compile(optimizer, "mse")
    pruning = keras_moduli.MagnitudePruning(schedule())
    kernel = model.layers[0].cell.recurrent_kernel
    probe = Probe(kernel)
    fit(model, pruning, probe)
    assert probe.history == expected_zeros(8 * 24)


def test_a_skipped_step_does_not_count():
    model = lstm()
    # At this scale every gradient overflows, until it has halved enough.
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(), initial_scale=2e38
    )
    model.compile(optimizer, "mse")
    pruning = keras_moduli.MagnitudePruning(schedule(end=10))
    fit(model, pruning, epochs=3)
    taken = int(optimizer.inner_optimizer.iterations)
    assert 10 <= taken < 3 * STEPS
    assert pruning.sparsity == pytest.approx(0.8, abs=0.5 / 256)


def test_steps_per_execution():
    model = lstm()
    model.compile("sgd", "mse", steps_per_execution=5)
    probe = Probe(model.get_layer("lstm").cell.recurrent_kernel)
    fit(model, keras_moduli.MagnitudePruning(schedule()), probe)
    expected = expected_zeros(256)
    # 24 batches are executions of 5, 5, 5, 5 and 4 steps; masks change
    # between them.
    assert probe.history == [expected[i - 1] for i in (5, 10, 15, 20, 24)]


def test_gradient_accumulation_counts_updates():
    model = lstm()
    optimizer = keras.optimizers.Adam(gradient_accumulation_steps=4)
    model.compile(optimizer, "mse")
    pruning = keras_moduli.MagnitudePruning(schedule(end=10))
    probe = Probe(model.get_layer("lstm").cell.recurrent_kernel)
    fit(model, pruning, probe, epochs=2)
    # Two epochs of 24 batches are 12 updates.
    expected = expected_zeros(256, end=10)
    assert probe.history[4 * 10 :] == expected[9:10] * 8
    assert probe.history[4 * 2] == expected[1]


def test_a_users_constraint_goes_on_acting():
    model = lstm(recurrent_constraint=keras.constraints.UnitNorm(axis=0))
    model.compile(keras.optimizers.SGD(0.5), "mse")
    pruning = keras_moduli.MagnitudePruning(schedule(final=0.5))
    fit(model, pruning)
    kernel = keras.ops.convert_to_numpy(
        model.get_layer("lstm").cell.recurrent_kernel
    )
    assert (kernel == 0).sum() == 128
    norms = np.linalg.norm(kernel, axis=0)
    np.testing.assert_allclose(norms[norms > 0], 1.0, rtol=1e-5)


def test_every_container():
    keras.utils.set_random_seed(0)
    inner = keras.Sequential(
        [keras.Input((5, 3)), layers.SimpleRNN(8, return_sequences=True)],
        name="inner",
    )
    model = keras.Sequential(
        [
            keras.Input((5, 3)),
            inner,
            layers.Bidirectional(layers.LSTM(8, return_sequences=True)),
            layers.RNN(
                [layers.GRUCell(8), layers.LSTMCell(4)], return_sequences=True
            ),
            layers.TimeDistributed(layers.Dense(4)),
            layers.RNN(layers.SimpleRNNCell(8)),
            layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    pruning = keras_moduli.MagnitudePruning(
        schedule(final=0.75), ranking="local"
    )
    fit(model, pruning)
    found = kernels(model)
    recurrent = [path for path in found if path.endswith("recurrent_kernel")]
    assert len(recurrent) == 6
    for path, variable in found.items():
        size = int(np.prod(variable.shape))
        pruned = size * 3 // 4 if path in recurrent else 0
        assert zeros(variable) == pruned, path


def test_all_kernels_by_one_threshold():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            layers.Embedding(11, 8),
            layers.LSTM(8),
            layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    tokens = np.random.default_rng(0).integers(0, 11, (STEPS * 4, 5))
    model.fit(
        tokens, tokens.sum(1, keepdims=True), batch_size=4, verbose=0,
        callbacks=[keras_moduli.MagnitudePruning(schedule(0.9), "kernels")],
    )  # fmt: skip
    weights = [keras.ops.convert_to_numpy(v) for v in kernels(model).values()]
    assert len(weights) == 4
    total = sum(w.size for w in weights)
    alive = np.concatenate([w[w != 0] for w in weights])
    assert alive.size == round(0.1 * total)


def test_groups_and_gates():
    model = lstm()
    model.compile("sgd", "mse")
    groups = [
        keras_moduli.PruningGroup(schedule(0.5), gates=(0, 1)),
        keras_moduli.PruningGroup(schedule(0.875), gates=(3,)),
        keras_moduli.PruningGroup(schedule(0.25), "dense/kernel"),
    ]
    pruning = keras_moduli.MagnitudePruning(groups=groups)
    fit(model, pruning)
    kernel = keras.ops.convert_to_numpy(
        model.get_layer("lstm").cell.recurrent_kernel
    )
    gates = kernel.reshape(8, 4, 8)
    assert (gates[:, :2] == 0).sum() == 64
    assert (gates[:, 2] == 0).sum() == 0
    assert (gates[:, 3] == 0).sum() == 56
    assert zeros(model.get_layer("dense").kernel) == 2
    assert pruning.sparsity == pytest.approx((64 + 56 + 2) / (192 + 8))


@pytest.mark.parametrize(
    "arguments,units",
    [
        (dict(block_size=(4, 1)), lambda w: w.reshape(2, 4, 4, 8, 1)),
        (dict(pattern=patterns.Blocks((2, 4)), score="max"),
         lambda w: w.reshape(4, 2, 4, 2, 4)),
        (dict(pattern=patterns.Tiles(2)),
         lambda w: w.reshape(4, 2, 4, 4, 2)),
        (dict(pattern=patterns.Tiles(2, balanced=True)),
         lambda w: w.reshape(4, 2, 4, 4, 2)),
    ],
    ids=["blocks", "blocks-max", "tiles", "balanced"],
)  # fmt: skip
def test_whole_units_live_or_die(arguments, units):
    model = lstm()
    model.compile("sgd", "mse")
    fit(model, keras_moduli.MagnitudePruning(schedule(0.75), **arguments))
    kernel = keras.ops.convert_to_numpy(
        model.get_layer("lstm").cell.recurrent_kernel
    )
    alive = units(kernel) != 0
    axes = (1, 4) if "Tiles" not in str(arguments) else (1, 2, 4)
    whole = alive.all(axes)
    assert (whole == alive.any(axes)).all()
    assert whole.mean() == 0.25
    if "balanced=True" in str(arguments):
        assert (whole.sum(0) == 1).all()


def test_n_of_m():
    model = lstm()
    model.compile("sgd", "mse")
    pruning = keras_moduli.MagnitudePruning(
        schedule(0.5), pattern=patterns.NOfM(2, 4)
    )
    fit(model, pruning)
    kernel = keras.ops.convert_to_numpy(
        model.get_layer("lstm").cell.recurrent_kernel
    )
    assert ((kernel.reshape(2, 4, 32) != 0).sum(1) == 2).all()


def test_the_penalty_can_weigh_in():
    regularizer = keras_moduli.ModuliRegularizer("torus", seed=3)
    penalty = np.asarray(regularizer.penalty(8))
    kept = {}
    for by_penalty in (False, True):
        model = lstm(recurrent_regularizer=regularizer)
        model.compile(keras.optimizers.SGD(0.0), "mse")
        before = keras.ops.convert_to_numpy(
            model.get_layer("lstm").cell.recurrent_kernel
        )
        fit(
            model,
            keras_moduli.MagnitudePruning(schedule(0.8), by_penalty=by_penalty),
        )
        after = model.get_layer("lstm").cell.recurrent_kernel
        kept[by_penalty] = keras.ops.convert_to_numpy(after) != 0
    mean = penalty.mean()
    scores = (
        np.abs(before).reshape(8, 4, 8) * (mean / (mean + penalty))[:, None, :]
    )
    best = np.sort(np.argsort(scores.ravel())[-51:])
    np.testing.assert_array_equal(np.flatnonzero(kept[True]), best)
    assert (kept[True] != kept[False]).any()


def test_the_penalty_of_each_gate_weighs_in():
    """All weights are equal: those of the strongest gate go first."""
    regularizer = keras_moduli.ModuliRegularizer(
        "torus", seed=3, gates=[1.0, 1.0, 5.0, 1.0], control="matched_l1"
    )
    model = lstm(
        recurrent_regularizer=regularizer, recurrent_initializer="ones"
    )
    model.compile(keras.optimizers.SGD(0.0), "mse")
    pruning = keras_moduli.MagnitudePruning(schedule(0.25), by_penalty=True)
    fit(model, pruning)
    kernel = keras.ops.convert_to_numpy(
        model.get_layer("lstm").cell.recurrent_kernel
    )
    alive = kernel.reshape(8, 4, 8) != 0
    assert not alive[:, 2].any() and alive[:, [0, 1, 3]].all()


def test_the_shorthand_is_a_polynomial_decay_over_the_fit():
    model = lstm()
    model.compile("sgd", "mse")
    pruning = keras_moduli.MagnitudePruning(
        final_sparsity=0.75, begin=0.25, end=0.75
    )
    history = fit(model, pruning, epochs=4).history["sparsity"]
    assert history[0] == 0.0
    assert 0 < history[1] < 0.75
    assert history[2:] == [0.75, 0.75]


def test_sparsity_in_the_logs():
    model = lstm()
    model.compile("sgd", "mse")
    seen = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(logs["sparsity"])
    )
    history = fit(model, keras_moduli.MagnitudePruning(schedule()), watch)
    assert seen == [n / 256 for n in expected_zeros(256)]
    assert history.history["sparsity"] == [seen[-1]]


def test_masks_are_the_same_every_time():
    """Equal magnitudes everywhere: only the tie-break decides."""
    masks = []
    for _ in range(2):
        model = lstm(recurrent_initializer="ones")
        model.compile(keras.optimizers.SGD(0.0), "mse")
        fit(model, keras_moduli.MagnitudePruning(schedule(0.5)))
        masks.append(
            keras_moduli.masks_of(model)["lstm/lstm_cell/recurrent_kernel"]
        )
    np.testing.assert_array_equal(*masks)
    assert not masks[0].ravel()[:128].any() and masks[0].ravel()[128:].all()


def test_masks_hold_in_a_later_fit():
    model = lstm()
    model.compile("sgd", "mse")
    fit(model, keras_moduli.MagnitudePruning(schedule()))
    kernel = model.get_layer("lstm").cell.recurrent_kernel
    dead = keras.ops.convert_to_numpy(kernel) == 0
    fit(model, epochs=2)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(kernel) == 0, dead)
    keras_moduli.remove_masks(model)
    fit(model)
    assert zeros(kernel) == 0


def test_the_same_callback_after_its_masks_were_removed():
    model = lstm()
    model.compile("sgd", "mse")
    pruning = keras_moduli.MagnitudePruning(schedule())
    fit(model, pruning)
    keras_moduli.remove_masks(model)
    fit(model)
    fit(model, pruning)
    assert zeros(model.get_layer("lstm").cell.recurrent_kernel) == 205


def test_the_saved_model_is_a_plain_one(tmp_path):
    model = lstm()
    model.compile("sgd", "mse")
    plain = [v.path for v in model.variables]
    config = model.get_config()
    fit(model, keras_moduli.MagnitudePruning(schedule()))
    assert [v.path for v in model.variables] == plain
    assert model.get_config() == config
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.get_layer("lstm").cell.recurrent_kernel.constraint is None
    assert keras_moduli.sparsity(loaded) == keras_moduli.sparsity(model)
