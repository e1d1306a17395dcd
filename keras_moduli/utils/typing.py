"""Names for what has no type of its own in every Keras backend."""

from typing import Any

# A tensor of the backend that Keras runs on, or an array that it takes.
Tensor = Any
