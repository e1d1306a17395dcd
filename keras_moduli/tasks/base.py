"""What every task has, unless it says otherwise."""


class Task:
    """Members that most tasks share; `keras_moduli.tasks` lists them all."""

    digest = "generated"  # nothing but the settings tells the data apart
    pass_steps = None
    evaluation_batch = 128  # larger batches are faster and change nothing

    def callbacks(self, curves=()):
        """Callbacks that training and evaluation need: none."""
        del curves
        return []

    def assets(self):
        """Files that a user of the trained model needs: none."""
        return {}
