"""Path integration: from velocities to the place, in the code of place cells.

`examples`, `dataset` and `model` work alone; `Navigation` joins them under one
set of settings. `recorded` cuts walks from recordings of real rats; `summed` is
what one would do without a network.
"""

from keras_moduli.tasks.navigation.recordings import recorded as recorded
from keras_moduli.tasks.navigation.task import Navigation as Navigation
from keras_moduli.tasks.navigation.task import model as model
from keras_moduli.tasks.navigation.walks import dataset as dataset
from keras_moduli.tasks.navigation.walks import examples as examples
from keras_moduli.tasks.navigation.walks import summed as summed
