"""Keras 3 on JAX: two devices, in one process or in two."""
# ruff: noqa: E402 - the environment must be set before imports

import contextlib
import os

import common

given = common.settings()
local = 2 // given["processes"]
os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={local}"

import jax
import numpy as np

if given["processes"] > 1:
    jax.config.update("jax_cpu_collectives_implementation", "gloo")

import keras

if given["processes"] > 1:
    keras.distribution.initialize(
        f"127.0.0.1:{given['port']}", given["processes"], given["process"]
    )
assert jax.device_count() == 2 and jax.local_device_count() == local
keras.distribution.set_distribution(
    keras.distribution.DataParallel(
        devices=keras.distribution.list_devices("cpu"),
        auto_shard_dataset=False,
    )
)


def replicas(variable):
    shards = variable.value.addressable_shards
    assert len(shards) == local
    return [np.asarray(shard.data) for shard in shards]


common.write(
    common.build_and_fit(
        replicas,
        given["optimizer"],
        contextlib.nullcontext(),
        seed=given["process"],
        batch_size=4 // given["processes"],
        **given["model"],
    )
)
