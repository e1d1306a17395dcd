"""The road through tf_keras and TF-MOT, and the way from it to Keras 3.

Needs tf_keras (and TF-MOT for pruning), imported when a function is called.
"""

from keras_moduli.keras2.conversion import to_keras3 as to_keras3
from keras_moduli.keras2.tfmot import prune_recurrent as prune_recurrent
