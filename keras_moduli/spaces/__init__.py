"""Where neurons live: spaces to draw from, measure in and project onto.

A name or a `ModuliSpace` comes in; points, distances and numberings go out.
"""

from keras_moduli.spaces.base import ModuliSpace as ModuliSpace
from keras_moduli.spaces.discrete import Discrete as Discrete
from keras_moduli.spaces.flat import Euclidean as Euclidean
from keras_moduli.spaces.flat import Torus as Torus
from keras_moduli.spaces.glued import HexagonalTorus as HexagonalTorus
from keras_moduli.spaces.glued import KleinBottle as KleinBottle
from keras_moduli.spaces.glued import MoebiusStrip as MoebiusStrip
from keras_moduli.spaces.product import Product as Product
from keras_moduli.spaces.registry import NAMED
from keras_moduli.spaces.registry import NUMBERED
from keras_moduli.spaces.registry import deserialize as deserialize
from keras_moduli.spaces.registry import get as get
from keras_moduli.spaces.registry import names as names
from keras_moduli.spaces.registry import serialize as serialize
from keras_moduli.spaces.round import ProjectivePlane as ProjectivePlane
from keras_moduli.spaces.round import Sphere as Sphere

NAMED.update(
    circle=lambda: Sphere(1),
    sphere=Sphere,
    torus=Torus,
    klein_bottle=KleinBottle,
    projective_plane=ProjectivePlane,
    moebius_strip=MoebiusStrip,
    hexagonal_torus=HexagonalTorus,
    discrete=Discrete,
    mixed_curvature=lambda: Product(["sphere", "torus"]),
)
NUMBERED.update(
    sphere=Sphere,
    torus=Torus,
    euclidean=Euclidean,
    discrete=Discrete,
    box=lambda dim: Euclidean(dim, sampling="box"),
)
NAMES = names()
