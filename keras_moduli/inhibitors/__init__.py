"""From a distance to a penalty, at least 0 by construction.

Functions that are "inverted" are subtracted from their analytic maximum, never
from the largest sampled value.
"""

from keras_moduli.inhibitors.base import Inhibitor as Inhibitor
from keras_moduli.inhibitors.constant import Constant as Constant
from keras_moduli.inhibitors.difference_of_gaussians import (
    DifferenceOfGaussians as DifferenceOfGaussians,
)
from keras_moduli.inhibitors.diffusion import Diffusion as Diffusion
from keras_moduli.inhibitors.gaussian import Gaussian as Gaussian
from keras_moduli.inhibitors.identity import Identity as Identity
from keras_moduli.inhibitors.registry import NAMES as NAMES
from keras_moduli.inhibitors.registry import deserialize as deserialize
from keras_moduli.inhibitors.registry import get as get
from keras_moduli.inhibitors.registry import serialize as serialize
from keras_moduli.inhibitors.ripple import Ripple as Ripple
