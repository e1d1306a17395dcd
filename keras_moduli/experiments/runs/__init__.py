"""One run of a task: its settings, training and checkpoints."""
