"""Commands for processes of their own."""

import sys
from pathlib import Path

# As it was installed beside this Python.
COMMAND = str(Path(sys.executable).with_name("keras-moduli"))


def python(script, *arguments):
    """The command that runs a script, which is a string.

    A fifth of the import of TensorFlow and Keras is to look for garbage, which
    such short lives make little of, and as much goes into what Keras imports
    and no script uses.
    """
    spared = (
        "import gc, sys, keras_moduli_command as command\n"
        "gc.disable()\n"
        "sys.modules.update(dict.fromkeys(command.unused()))\n"
        "if command.backend() != 'tensorflow':\n"
        "    sys.modules['tensorflow'] = None  # Keras would import it\n"
    )
    return [sys.executable, "-c", spared + script, *map(str, arguments)]
