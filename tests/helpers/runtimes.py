"""Files on other runtimes than LiteRT's interpreter, as their users run them.

Each function gives, for a file, a callable from named inputs to named outputs
and the shapes of its states, as `play.answer` takes them.
"""

import numpy as np
import play
from running import runner_of


def compiled(path):
    """LiteRT's CompiledModel, on the CPU."""
    from ai_edge_litert.compiled_model import CompiledModel

    model = CompiledModel.from_file(str(path))
    ((key, names),) = model.get_signature_list().items()
    details = model.get_output_tensor_details(key)
    shapes = {name: details[name]["shape"] for name in names["outputs"]}
    inputs = {
        name: model.create_input_buffer_by_name(key, name)
        for name in names["inputs"]
    }
    outputs = {
        name: model.create_output_buffer_by_name(key, name) for name in shapes
    }

    def run(**feed):
        for name, array in feed.items():
            inputs[name].write(np.ascontiguousarray(array))
        model.run_by_name(key, inputs, outputs)
        return {
            name: outputs[name]
            .read(int(np.prod(shape)), np.float32)
            .reshape(shape)
            for name, shape in shapes.items()
        }

    return run, play.state_shapes(model.get_input_tensor_details(key))


def micro(path):
    """TFLite Micro, with nothing of ours between.

    It knows no names: LiteRT tells where each stands in the file's lists.
    """
    from ai_edge_litert.interpreter import Interpreter
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_file(str(path))
    lite, runner = Interpreter(str(path)), runner_of(path)
    details = runner.get_input_details()
    inputs = _places(details, lite.get_input_details())
    outputs = _places(runner.get_output_details(), lite.get_output_details())

    def run(**feed):
        for name, array in feed.items():
            interpreter.set_input(array, inputs[name])
        interpreter.invoke()
        return {
            name: interpreter.get_output(place).copy()
            for name, place in outputs.items()
        }

    return run, play.state_shapes(details)


def _places(named, ordered):
    order = [detail["index"] for detail in ordered]
    return {n: order.index(d["index"]) for n, d in named.items()}
