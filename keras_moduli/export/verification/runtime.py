"""The LiteRT interpreter, as users run it and without delegates."""

from keras_moduli.export.errors import ExportError


def interpreters(path):
    """The ways to run a file: default delegates, and built-in kernels.

    Returns:
        A dict from name to a function that makes a fresh interpreter.
    """
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_litert.interpreter import OpResolverType

    resolvers = {
        "default delegates": OpResolverType.AUTO,
        "built-in kernels": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    }
    return {
        name: lambda resolver=resolver: Interpreter(
            model_path=str(path),
            num_threads=1,
            experimental_op_resolver_type=resolver,
        )
        for name, resolver in resolvers.items()
    }


def answers(path, name, program, batches):
    """Runs a signature on every batch, in every way of `interpreters`.

    Args:
        path: The `.tflite` file.
        name: The signature.
        program: The `Program` that it was made of.
        batches: A list of dicts from input name to array.

    Yields:
        For each way, a list of dicts from output name to array.

    Raises:
        ExportError: If the runtime refuses the file.
    """
    for way, make in interpreters(path).items():
        try:
            runner = make().get_signature_runner(name)
            yield [program.run(runner, batch) for batch in batches]
        except (RuntimeError, ValueError) as error:
            raise ExportError(
                f"LiteRT cannot run the converted model with its {way}: {error}"
            ) from error
