"""What stands in a `.tflite` file: reading it, writing it, known traps."""
