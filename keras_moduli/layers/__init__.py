"""Recurrent layers that hold and multiply their surviving weights only.

Targets come in groups that read the same few sources, in all gates.
"""

from keras_moduli.layers.connections import sources as sources
