"""Functional models, rebuilt from tf_keras's description of their graph."""

import keras


def connect(config, layers):
    """Calls layers as a functional tf_keras model does.

    Args:
        config: The model's `get_config()`.
        layers: Dict from name to the Keras 3 layer that stands for it.

    Returns:
        A functional `keras.Model`.
    """
    return _Graph(config, layers).model()


class _Graph:
    def __init__(self, config, layers):
        self._config = config
        self._layers = layers
        self._calls = {
            entry["config"]["name"]: entry["inbound_nodes"]
            for entry in config["layers"]
        }
        self._first = self._first_calls()
        self._outputs = {}

    def model(self):
        return keras.Model(
            self._value(_single(self._config["input_layers"])),
            self._value(_single(self._config["output_layers"])),
            name=self._config["name"],
        )

    def _first_calls(self):
        """At which number each layer's calls begin.

        Models in the model count their own making as call 0.
        """
        last = {}
        for name, index, _ in _references(self._config):
            last[name] = max(index, last.get(name, 0))
        return {
            name: int(last.get(name, 0) >= max(len(calls), 1))
            for name, calls in self._calls.items()
        }

    def _tensor(self, name, call, index):
        """An output of one call of a layer, computed when first asked for."""
        if (name, call) not in self._outputs:
            self._outputs[name, call] = keras.tree.flatten(
                self._call(name, call)
            )
        return self._outputs[name, call][index]

    def _call(self, name, call):
        layer = self._layers[name]
        if not self._calls[name]:
            return layer.output  # an input
        node = self._calls[name][call - self._first[name]]
        tensors = [self._tensor(*argument[:3]) for argument in node]
        given = {k: v for a in node for k, v in a[3].items() if v is not None}
        arguments = {name: self._value(v) for name, v in given.items()}
        if len(tensors) == 1:
            return layer(tensors[0], **arguments)
        if isinstance(layer, (keras.layers.RNN, keras.layers.Bidirectional)):
            # tf_keras lists the initial states after the sequence.
            return layer(tensors[0], initial_state=tensors[1:], **arguments)
        return layer(tensors, **arguments)

    def _value(self, item):
        """A structure with tensors in place of references to them."""
        if _is_reference(item):
            return self._tensor(*item)
        if isinstance(item, dict):
            return {key: self._value(part) for key, part in item.items()}
        if isinstance(item, (list, tuple)):
            return [self._value(part) for part in item]
        return item


def _references(item):
    """All `[layer, call, output]` triples in a configuration's graph."""
    if isinstance(item, dict):
        keys = {"layers", "inbound_nodes", "input_layers", "output_layers"}
        chosen = keys & set(item) or set(item)
        parts = [item[key] for key in chosen]
    elif isinstance(item, (list, tuple)):
        if _is_reference(item[:3]):
            yield item[:3]
        parts = item
    else:
        return
    for part in parts:
        yield from _references(part)


def _is_reference(item):
    return (
        isinstance(item, (list, tuple))
        and len(item) == 3
        and isinstance(item[0], str)
        and all(isinstance(n, int) for n in item[1:])
    )


def _single(structure):
    if isinstance(structure, list) and len(structure) == 1:
        return structure[0]
    return structure
