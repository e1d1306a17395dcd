"""Does a network have a moduli space? The topology of its hidden states.

`record_states` runs a model and keeps what a recurrent layer computes,
`homology` counts the holes in the cloud of these states and names the spaces
of `keras_moduli.spaces` that have as many, `plot_diagram` draws them.
Needs the extra `tda`: `pip install 'keras-moduli[tda]'`.
"""

from keras_moduli.topology.betti import betti_numbers as betti_numbers
from keras_moduli.topology.diagram import plot_diagram as plot_diagram
from keras_moduli.topology.homology import Homology as Homology
from keras_moduli.topology.homology import homology as homology
from keras_moduli.topology.reduction import reduce_states as reduce_states
from keras_moduli.topology.states import record_states as record_states
