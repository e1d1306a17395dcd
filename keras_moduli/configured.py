"""Objects that are their configuration: equal if it is equal."""

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
