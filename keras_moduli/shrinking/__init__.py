"""The smaller model without units that nothing reads.

A pruned model comes in, a smaller one of the same function goes out.
"""

from keras_moduli.shrinking.shrink import dead_units as dead_units
from keras_moduli.shrinking.shrink import shrink as shrink
