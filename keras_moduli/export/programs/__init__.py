"""From a model to functions that can be converted: whole, by steps, lowered."""
