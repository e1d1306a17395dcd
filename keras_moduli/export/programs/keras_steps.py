"""Keras's own steps of a sequence, compiled into one loop."""

import keras


class KerasSteps:
    """A model's steps over sequences, on the CPU: a GPU may round products.

    One call takes all steps: to call Keras for each of them takes longer than
    all else that becomes of an exported file.

    Args:
        call: From a dict of named tensors, one step and the states before it,
            to a dict of its outputs and the states after it.
        specs: A dict from name to `Spec` of what `call` takes.
        zeros: The states at the beginning of a stream, a dict from name to
            array. What else `call` takes, is the step.
    """

    def __init__(self, call, specs, zeros):
        import tensorflow as tf

        (self._input_name,) = specs.keys() - zeros.keys()
        self._zeros = zeros
        with tf.device("CPU:0"):
            self._step = tf.function(
                call, autograph=False
            ).get_concrete_function(
                {
                    name: tf.TensorSpec(spec.shape, spec.dtype, name)
                    for name, spec in specs.items()
                }
            )
        self._loop = tf.function(self._looped, autograph=False)

    def _looped(self, sequences):
        import tensorflow as tf

        def step(before, x):
            states = {name: before[name] for name in self._zeros}
            answer = self._step({self._input_name: x[:, None], **states})
            # Some layers leave the batch open, and a loop's states may not.
            for name, zeros in self._zeros.items():
                answer[name] = tf.ensure_shape(answer[name], zeros.shape)
            return answer

        steps = tf.transpose(sequences, [1, 0, *range(2, len(sequences.shape))])
        # What the outputs' shapes are, only a call tells.
        begin = step(self._zeros, steps[0])
        begin.update(self._zeros)
        return tf.scan(step, steps, initializer=begin)

    def __call__(self, sequences):
        """What every step is fed, and its outputs.

        Args:
            sequences: `(batch, time, ...)`, from the beginning of a stream.

        Returns:
            A list of pairs of dicts, from name to array.
        """
        import tensorflow as tf

        with tf.device("CPU:0"):
            found = {
                name: keras.ops.convert_to_numpy(value)
                for name, value in self._loop(
                    tf.convert_to_tensor(sequences)
                ).items()
            }
        pairs, state = [], self._zeros
        for time in range(sequences.shape[1]):
            x = {self._input_name: sequences[:, time : time + 1]}
            answer = {name: values[time] for name, values in found.items()}
            pairs.append(({**x, **state}, answer))
            state = {name: answer.pop(name) for name in state}
        return pairs
