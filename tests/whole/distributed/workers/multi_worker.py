"""tf_keras under MultiWorkerMirroredStrategy, pruned by TF-MOT's wrapper."""
# ruff: noqa: E402 - the environment must be set before imports

import json
import os

import common

given = common.settings()
os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CONFIG"] = json.dumps(
    {
        "cluster": {"worker": [f"127.0.0.1:{p}" for p in given["ports"]]},
        "task": {"type": "worker", "index": given["process"]},
    }
)

import numpy as np
import tensorflow as tf

strategy = tf.distribute.MultiWorkerMirroredStrategy()
assert strategy.num_replicas_in_sync == len(given["ports"])

import tensorflow_model_optimization as tfmot
import tf_keras

import keras_moduli

sparsity = tfmot.sparsity.keras
WRAP = {
    "all kernels": sparsity.prune_low_magnitude,
    "recurrent kernels": keras_moduli.keras2.prune_recurrent,
}

options = tf.data.Options()
options.experimental_distribute.auto_shard_policy = (
    tf.data.experimental.AutoShardPolicy.DATA
)
batches = tf.data.Dataset.from_tensor_slices(common.data(0))
batches = batches.batch(4).with_options(options)


def trained(wrap):
    """What two workers come to with one of the two ways to prune."""
    tf_keras.backend.clear_session()
    tf_keras.utils.set_random_seed(0)
    with strategy.scope():
        torus = keras_moduli.ModuliRegularizer("torus", seed=0)
        model = tf_keras.Sequential(
            [
                tf_keras.layers.Input((5, 3)),
                tf_keras.layers.LSTM(
                    8, recurrent_regularizer=torus, name="lstm"
                ),
                tf_keras.layers.Dense(1, name="dense"),
            ]
        )
        pruned = wrap(
            model,
            pruning_schedule=sparsity.PolynomialDecay(
                0.0, 0.75, begin_step=2, end_step=20, frequency=6
            ),
        )
        pruned.compile("adam", "mse")
    pruned.fit(batches, verbose=0, callbacks=[sparsity.UpdatePruningStep()])
    stripped = sparsity.strip_pruning(pruned)
    return {
        "masks": [
            common.digest(w.numpy())
            for w in pruned.non_trainable_weights
            if "mask" in w.name
        ],
        "weights": {
            w.name.split(":")[0]: common.digest(w.numpy())
            for w in stripped.weights
        },
        "sparsity": {
            w.name.split(":")[0]: float(np.mean(w.numpy() == 0))
            for w in stripped.weights
            if "bias" not in w.name
        },
    }


common.write({what: trained(wrap) for what, wrap in WRAP.items()})
