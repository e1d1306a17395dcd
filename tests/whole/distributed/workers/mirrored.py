"""Keras 3 on TensorFlow: one process, two replicas."""

import common
import tensorflow as tf

given = common.settings()

(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert strategy.num_replicas_in_sync == 2


def replicas(variable):
    return [part.numpy() for part in variable.value.values]


common.write(
    common.build_and_fit(
        replicas, given["optimizer"], strategy.scope(), **given["model"]
    )
)
