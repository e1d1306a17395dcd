"""Pictures of trainings, and of kernels on their moduli space.

Every function draws on the `ax` it is given, or on a new figure of pyplot's,
and returns the Axes. Colours are Okabe and Ito's, told apart by everybody,
and lines differ in their dashes or markers too.
"""

from keras_moduli.plotting.connections import (
    plot_connections as plot_connections,
)
from keras_moduli.plotting.connections import plot_survival as plot_survival
from keras_moduli.plotting.geometry import plot_embedding as plot_embedding
from keras_moduli.plotting.geometry import plot_inhibitor as plot_inhibitor
from keras_moduli.plotting.geometry import plot_kernel as plot_kernel
from keras_moduli.plotting.geometry import plot_penalty as plot_penalty
from keras_moduli.plotting.geometry import projection as projection
from keras_moduli.plotting.tradeoff import plot_cost as plot_cost
from keras_moduli.plotting.tradeoff import plot_tradeoff as plot_tradeoff
from keras_moduli.plotting.training import plot_curves as plot_curves
from keras_moduli.plotting.training import plot_sparsity as plot_sparsity
