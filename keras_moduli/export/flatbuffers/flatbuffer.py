"""Reading, changing and writing the content of .tflite files.

The tree of objects is that of the TFLite schema, which the LiteRT package
publishes as `schema_py_generated`.
"""

import collections
import functools
import json

import numpy as np

from keras_moduli.export.flatbuffers import building


def read(content):
    """The content of a .tflite file as a tree of Python objects."""
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(content, 0)


def write(model):
    """The bytes of a .tflite file for a tree of Python objects.

    Buffers that nothing refers to any more are left empty.
    """
    import flatbuffers

    used = {tensor.buffer for g in model.subgraphs for tensor in g.tensors}
    used |= {metadata.buffer for metadata in model.metadata or []}
    builder = flatbuffers.Builder(1024)
    plain = model.buffers
    try:
        model.buffers = [
            _AlignedBuffer(buffer.data if index in used else None)
            for index, buffer in enumerate(plain)
        ]
        builder.Finish(model.Pack(builder), b"TFL3")
    finally:
        model.buffers = plain
    return bytes(builder.Output())


def with_metadata(content, values):
    """Stores a dict in a .tflite file, under the name "keras_moduli"."""
    from ai_edge_litert import schema_py_generated as schema

    model = read(content)
    entry = schema.MetadataT()
    text = json.dumps(values, sort_keys=True)
    entry.name = _METADATA
    entry.buffer = building.new_buffer(model, text.encode())
    model.metadata = [*(model.metadata or []), entry]
    return write(model)


def metadata(model):
    """The dict that `with_metadata` stored, `None` if there is none."""
    for entry in model.metadata or []:
        if entry.name == _METADATA:
            return json.loads(bytes(model.buffers[entry.buffer].data))
    return None


def with_signature(content, key, inputs, outputs):
    """Gives a .tflite file its one signature, by the names in its order."""
    from ai_edge_litert import schema_py_generated as schema

    def entries(names, indices):
        made = []
        for name, index in zip(names, indices, strict=True):
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = name.encode(), int(index)
            made.append(entry)
        return made

    model = read(content)
    signature = schema.SignatureDefT()
    signature.signatureKey = key.encode()
    signature.inputs = entries(inputs, model.subgraphs[0].inputs)
    signature.outputs = entries(outputs, model.subgraphs[0].outputs)
    model.signatureDefs = [signature]
    return write(model)


def operator_names(model):
    """The operator of every node in a model read by `read`.

    Returns:
        A dict from name to how often it occurs, over all subgraphs, the most
        frequent first. Custom operators keep the name they have in the file.
    """
    counts = collections.Counter(
        name_of(model, operator)
        for graph in model.subgraphs
        for operator in graph.operators or []
    )
    return dict(counts.most_common())


def name_of(model, operator):
    """The name of an operator (`"FULLY_CONNECTED"`)."""
    code = model.operatorCodes[operator.opcodeIndex]
    if code.customCode:
        return code.customCode.decode()
    # Files for old readers hold small codes in the first field.
    from ai_edge_litert import schema_py_generated as schema

    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    return _names(schema.BuiltinOperator)[number]


def listed(vector):
    """A vector of the file as a list; one that is missing is empty."""
    return [] if vector is None else list(vector)


def makers(graph):
    """From the index of a tensor to the operator that makes it."""
    return {
        int(index): operator
        for operator in graph.operators or []
        for index in listed(operator.outputs)
    }


def computed_in_float(model):
    """The names of operators whose results are floats, casts left out."""
    return sorted(
        {
            name_of(model, operator)
            for graph in model.subgraphs
            for operator in graph.operators or []
            if any(
                type_of(graph.tensors[index]) == "float32"
                for index in operator.outputs
            )
        }
        - {"DEQUANTIZE"}
    )


def type_of(tensor):
    """The name of a tensor's type (`"float32"`)."""
    from ai_edge_litert import schema_py_generated as schema

    return _names(schema.TensorType)[tensor.type].lower()


def data_of(model, tensor):
    """The bytes of a constant tensor, `None` if it is not one."""
    data = model.buffers[tensor.buffer].data
    return None if data is None or len(data) == 0 else bytes(bytearray(data))


def values_of(model, tensor):
    """The stored values of a constant tensor, `None` for other types."""
    data, kind = data_of(model, tensor), type_of(tensor)
    return np.frombuffer(data, kind) if data and kind in _DTYPES else None


def constant(model, tensor):
    """The array of a constant dense tensor, `None` if it is not one."""
    values = None if tensor.sparsity else values_of(model, tensor)
    return None if values is None else values.reshape(tuple(tensor.shape))


class Place:
    """A constant tensor in a graph, about to be stored otherwise.

    Args:
        model: The model, as `read` gives it.
        graph: One of its subgraphs.
        index: The tensor's index there.
        weights: The tensor's array.
    """

    def __init__(self, model, graph, index, weights):
        self.model, self.graph = model, graph
        self.index, self.weights = index, weights
        self.users = [
            operator for operator in graph.operators if index in operator.inputs
        ]

    def is_multiplied(self):
        """Whether it is a matrix that FULLY_CONNECTED alone uses."""
        return self.weights.ndim == 2 and all(
            name_of(self.model, user) == "FULLY_CONNECTED"
            and list(user.inputs).index(self.index) == 1
            for user in self.users
        )

    def store(self, form):
        """Stores the tensor in a form of the module `encoding`."""
        tensor = self.graph.tensors[self.index]
        values, tensor.sparsity = form.encode(self.weights)
        # Other tensors may share the dense buffer.
        tensor.buffer = building.new_buffer(self.model, values.tobytes())

    def mark_users(self, version):
        """Gives the operators that use the tensor another version."""
        for user in self.users:
            user.opcodeIndex = building.operator_code(
                self.model, "FULLY_CONNECTED", version
            )

    def insert_densify(self):
        """Lets the users read what a DENSIFY makes of the tensor."""
        from ai_edge_litert import schema_py_generated as schema

        sparse = self.graph.tensors[self.index]
        index = building.new_tensor(
            self.graph, sparse.name + b"/dense", sparse.shape, sparse.type
        )
        self.graph.tensors[index].quantization = sparse.quantization
        operator = building.new_operator(
            self.model,
            "DENSIFY",
            [self.index],
            index,
            schema.DensifyOptionsT(),
        )
        for user in self.users:
            user.inputs = [
                index if each == self.index else each for each in user.inputs
            ]
        self.graph.operators.insert(0, operator)


@functools.cache
def _names(enumeration):
    return {
        code: name
        for name, code in vars(enumeration).items()
        if not name.startswith("_")
    }


class _AlignedBuffer:
    """A buffer whose data starts at a multiple of 16, as the schema asks.

    The generated Python code does not see to that.
    """

    def __init__(self, data):
        self.data = data

    def Pack(self, builder):  # noqa: N802 - the schema's name
        from ai_edge_litert import schema_py_generated as schema

        data = self.data
        if data is not None:
            data = bytes(bytearray(data))
            builder.StartVector(1, len(data), 16)
            builder.head = builder.head - len(data)
            builder.Bytes[builder.head : builder.head + len(data)] = data
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)


_METADATA = b"keras_moduli"

_DTYPES = ("float32", "float16", "int8")
