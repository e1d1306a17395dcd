"""tf_keras, which has a registry of its own."""

import sys


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
