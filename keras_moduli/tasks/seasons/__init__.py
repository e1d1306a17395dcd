"""Seasons: traffic or load, days ahead, from a few days of it.

`traffic` and `read` give series, `examples`, `dataset` and `model` work alone;
`Seasons` joins them under one set of settings.
"""

from keras_moduli.tasks.seasons.forecasting import (
    ForecastError as ForecastError,
)
from keras_moduli.tasks.seasons.forecasting import ForecastLoss as ForecastLoss
from keras_moduli.tasks.seasons.forecasting import dataset as dataset
from keras_moduli.tasks.seasons.forecasting import examples as examples
from keras_moduli.tasks.seasons.forecasting import model as model
from keras_moduli.tasks.seasons.series import Series as Series
from keras_moduli.tasks.seasons.series import read as read
from keras_moduli.tasks.seasons.series import traffic as traffic
from keras_moduli.tasks.seasons.task import Seasons as Seasons
