"""Objects known by their configuration, to Keras and to tf_keras."""

import sys
from typing import Any


class Configured:
    """What spaces and inhibitors have in common.

    Subclasses with arguments override `get_config`.
    """

    def get_config(self) -> dict[str, Any]:
        """The arguments that make the same object again, as plain data."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)

    def __eq__(self, other):
        return (
            type(self) is type(other)
            and self.get_config() == other.get_config()
        )

    def __hash__(self):
        return hash((type(self), repr(self.get_config())))

    def __repr__(self):
        arguments = ", ".join(
            f"{name}={value!r}" for name, value in self.get_config().items()
        )
        return f"{type(self).__name__}({arguments})"


def register_with_tf_keras(cls, package):
    """Makes tf_keras know a class too, where tf_keras is in use.

    It is never imported here: whoever has layers of tf_keras has imported it.

    Args:
        cls: A class that Keras knows as `package>name`.
        package: The package it is registered under.
    """
    tf_keras = sys.modules.get("tf_keras")
    saving = getattr(tf_keras, "saving", None)  # None while it is imported
    if saving is None:
        return
    name = cls.__name__
    if saving.get_registered_object(f"{package}>{name}") is None:
        saving.register_keras_serializable(package)(cls)
        # tf_keras looks in .h5 files and SavedModels for the bare name.
        saving.get_custom_objects()[name] = cls
