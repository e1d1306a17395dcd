"""Does the file compute what the model does? Samples, runs, comparison."""
