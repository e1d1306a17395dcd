"""Points on spaces of known topology, in 64 dimensions, with noise."""

import numpy as np


def circle(n, rng):
    u = rng.uniform(0, 2 * np.pi, n)
    return np.stack([np.cos(u), np.sin(u)], -1)


def sphere(n, rng):
    x = rng.normal(size=(n, 3))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def torus(n, rng):
    return np.hstack([circle(n, rng), circle(n, rng)])


def klein_bottle(n, rng):
    """An embedding in R^4: a tube that comes back turned over."""
    u, v = rng.uniform(0, 2 * np.pi, (2, n))
    radius = 2 + np.cos(v)
    return np.stack(
        [
            radius * np.cos(u),
            radius * np.sin(u),
            2 * np.sin(v) * np.cos(u / 2),
            2 * np.sin(v) * np.sin(u / 2),
        ],
        -1,
    )


def projective_plane(n, rng):
    """Veronese's embedding in R^4."""
    x, y, z = sphere(n, rng).T
    return np.stack([x * y, x * z, y**2 - z**2, 2 * y * z], -1)


def gaussian(dim):
    return lambda n, rng: rng.normal(size=(n, dim))


def cube(dim):
    return lambda n, rng: rng.uniform(size=(n, dim))


def states(draw, seed, n=3000, noise=0.02, units=64):
    """A cloud as a layer's states would hold it: turned, and noisy."""
    rng = np.random.default_rng(seed)
    points = draw(n, rng)
    turn, _ = np.linalg.qr(rng.normal(size=(units, units)))
    x = points @ turn[: points.shape[1]]
    return x + noise * points.std() * rng.normal(size=x.shape)
