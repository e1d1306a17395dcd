"""The paper's workloads and more: data, a model, and what is measured.

A task is a frozen dataclass of its own settings (plain numbers and strings),
those that `keras-moduli train` takes declared by `options.option`, with these
members, which is all that `keras_moduli.experiments` knows of it:

- `metric`, `metric_label`: the name of the metric, lower is better, and what
  to call it in a table;
- `presets`: settings of run and task by name: `"small"` takes at most five
  minutes on two cores, `"paper"`, of the paper's tasks, has its sizes;
- `digest`: a string that tells the task's data from other data;
- `describe()`: one line on the data;
- `pass_steps`: the steps of one pass through the data, `None` if it never
  ends;
- `training(seed, first_step)`: endless batches, where the batch of a step
  depends on the seed and the step only;
- `sequence_length`: how many steps a sequence has;
- `validation`, `test`: pairs of arrays, the first perhaps a dict of arrays,
  to be evaluated in order, `evaluation_batch` sequences at a time;
- `trivial`: the metric, on the test data, of the best answer that ignores its
  input; a run that is no better has failed;
- `rivals`: a dict from the name of what one would do without a network to the
  metric of that on the test data;
- `model(steps, recurrent_regularizer)`: the compiled model;
- `callbacks(curves)`: what training and evaluating it need, given the logs of
  the epochs before;
- `assets()`: small text files that a user of the model needs.
"""

from keras_moduli.tasks.adding import Adding
from keras_moduli.tasks.heading import Heading
from keras_moduli.tasks.language.task import Language
from keras_moduli.tasks.navigation.task import Navigation
from keras_moduli.tasks.seasons.task import Seasons

TASKS = {
    "adding": Adding,
    "heading": Heading,
    "language": Language,
    "navigation": Navigation,
    "seasons": Seasons,
}
