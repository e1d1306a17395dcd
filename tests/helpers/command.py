"""Commands for processes of their own."""

import sys
from pathlib import Path

from keras_moduli_command import UNUSED

# As it was installed beside this Python.
COMMAND = str(Path(sys.executable).with_name("keras-moduli"))


def python(script, *arguments):
    """The command that runs a script, which is a string.

    A fifth of the import of TensorFlow and Keras is to look for garbage, which
    such short lives make little of, and as much goes into what Keras imports
    and no script uses.
    """
    spared = f"import sys\nsys.modules.update(dict.fromkeys({UNUSED}))"
    script = f"import gc\ngc.disable()\n{spared}\n{script}"
    return [sys.executable, "-c", script, *map(str, arguments)]
