"""A .tflite file as a C array, for firmware without a file system."""

import os
import re
from pathlib import Path

from keras_moduli.utils.files import write_text

_PER_LINE = 12


def write_c_array(
    path: str | os.PathLike[str],
    target: str | os.PathLike[str],
    name: str = "model",
) -> None:
    """Writes a file's bytes as a C header, whole or not at all.

    Args:
        path: A `.tflite` file.
        target: The header to write, ending in `.h`.
        name: The array's name in C. Its length is `<name>_length`. Defaults
            to `"model"`.

    Raises:
        ValueError: If the target or the name cannot be used.
        OSError: If the file cannot be read.

    Example:

    ```python
    keras_moduli.export_tflite(model, "model.tflite")
    keras_moduli.export.write_c_array("model.tflite", "model.h")
    ```
    """
    if not str(target).endswith(".h"):
        raise ValueError(
            f"`target` must end in '.h'. Received: target='{target}'"
        )
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        raise ValueError(
            f"`name` must be an identifier in C. Received: name={name!r}"
        )
    content = Path(path).read_bytes()
    lines = [
        "    " + " ".join(f"0x{b:02x}," for b in content[i : i + _PER_LINE])
        for i in range(0, len(content), _PER_LINE)
    ]
    # TFLite Micro wants the model aligned to 16 bytes.
    text = "\n".join(
        [
            "#pragma once",
            "",
            f"static const unsigned char {name}[] "
            "__attribute__((aligned(16))) = {",
            *lines,
            "};",
            f"static const unsigned int {name}_length = {len(content)};",
            "",
        ]
    )
    write_text(Path(target), text)
