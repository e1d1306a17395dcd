"""Arrays in a graph, each held once however often it is used."""

import keras


def once(array):
    """A function that gives an array as a tensor of the graph being made.

    An unrolled layer multiplies with the same kernel at every step. The
    converter merges equal constants in the end, but holds all of them until
    then, several times over: of large kernels tens of gigabytes.
    """
    import tensorflow as tf

    made = {}

    def constant():
        graph = tf.compat.v1.get_default_graph()
        if graph not in made:
            made[graph] = keras.ops.convert_to_tensor(array)
        return made[graph]

    return constant
