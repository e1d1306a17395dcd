"""Recurrent layers that hold and multiply their surviving weights only.

Targets come in groups that read the same few sources, in all gates.
"""

from keras_moduli.layers.connections import sources as sources
from keras_moduli.layers.conversion import ConversionError as ConversionError
from keras_moduli.layers.conversion import dense_kernel as dense_kernel
from keras_moduli.layers.conversion import mask as mask
from keras_moduli.layers.conversion import to_plain as to_plain
from keras_moduli.layers.conversion import to_sparse as to_sparse
from keras_moduli.layers.sparse_gru import SparseGRU as SparseGRU
from keras_moduli.layers.sparse_gru import SparseGRUCell as SparseGRUCell
from keras_moduli.layers.sparse_lstm import SparseLSTM as SparseLSTM
from keras_moduli.layers.sparse_lstm import SparseLSTMCell as SparseLSTMCell
from keras_moduli.layers.sparse_simple_rnn import (
    SparseSimpleRNN as SparseSimpleRNN,
)
from keras_moduli.layers.sparse_simple_rnn import (
    SparseSimpleRNNCell as SparseSimpleRNNCell,
)
