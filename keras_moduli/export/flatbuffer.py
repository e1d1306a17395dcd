"""Reading and writing the content of .tflite files."""

import collections


def read(content):
    """The content of a .tflite file as a tree of Python objects."""
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(content, 0)


def operator_names(model):
    """The operator of every node in a model read by `read`.

    Returns:
        A dict from name to how often it occurs, over all subgraphs, the most
        frequent first. Custom operators keep the name they have in the file.
    """
    from ai_edge_litert import schema_py_generated as schema

    known = {
        code: name
        for name, code in vars(schema.BuiltinOperator).items()
        if not name.startswith("_")
    }
    counts = collections.Counter()
    for subgraph in model.subgraphs:
        for operator in subgraph.operators or []:
            code = model.operatorCodes[operator.opcodeIndex]
            if code.customCode:
                counts[code.customCode.decode()] += 1
            else:
                # Files for old readers hold small codes in the first field.
                number = max(code.builtinCode, code.deprecatedBuiltinCode)
                counts[known[number]] += 1
    return dict(counts.most_common())
