"""How a kernel's weights are stored in the file, and multiplied."""
