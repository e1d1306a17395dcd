"""The command `keras-moduli`: a thin skin over experiments and exports.

Words come in; files, tables and an exit status go out.
"""

from keras_moduli.cli.parser import main as main
