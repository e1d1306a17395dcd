"""From a function to a `.tflite` file: TensorFlow's converter, calibrated."""
