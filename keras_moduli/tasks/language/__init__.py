"""Language modelling on any text files, by characters or by words.

`dataset` and `model` give ordinary generators and Keras models, which work
alone; `Language` joins them under one set of settings.
"""

from keras_moduli.tasks.language.batches import dataset as dataset
from keras_moduli.tasks.language.batches import streams as streams
from keras_moduli.tasks.language.batches import windows as windows
from keras_moduli.tasks.language.language_model import model as model
from keras_moduli.tasks.language.perplexity import (
    BitsPerCharacter as BitsPerCharacter,
)
from keras_moduli.tasks.language.perplexity import Perplexity as Perplexity
from keras_moduli.tasks.language.task import Language as Language
