"""What the package offers: every public class and function."""

import importlib
import inspect

MODULES = (
    "keras_moduli",
    "keras_moduli.spaces",
    "keras_moduli.inhibitors",
    "keras_moduli.patterns",
    "keras_moduli.spaces.curves",
    "keras_moduli.export",
    "keras_moduli.keras2",
    "keras_moduli.layers",
    "keras_moduli.plotting",
    "keras_moduli.tasks",
    "keras_moduli.tasks.adding",
    "keras_moduli.tasks.heading",
    "keras_moduli.tasks.navigation",
    "keras_moduli.tasks.language",
    "keras_moduli.tasks.seasons",
    "keras_moduli.tasks.options",
    "keras_moduli.regularizers",
    "keras_moduli.topology",
)


def public_objects():
    """A dict from dotted name to class or function, each object once."""
    found = {}
    for module_name in MODULES:
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name != module_name:
                raise
            continue
        for name, item in vars(module).items():
            if _is_public(name, item, module) and item not in found.values():
                found[f"{module_name}.{name}"] = item
    return found


def _is_public(name, item, module):
    if name.startswith("_") or not (
        inspect.isclass(item) or inspect.isfunction(item)
    ):
        return False
    # A package shows what its modules hold; a module, what is its own.
    is_package = hasattr(module, "__path__")
    return item.__module__ == module.__name__ or (
        is_package and item.__module__.startswith(f"{module.__name__}.")
    )
