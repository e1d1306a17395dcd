"""Walks of an agent in a square box, as in the path-integration literature.

The agent walks with random speed and turns at random; close to a wall that it
heads for, it slows down and turns along the wall.

Reference: B. Sorscher, G. Mel, S. Ganguli, S. Ocko, "A unified theory for the
origin of grid cells through the lens of pattern formation", 2019.
"""

import numpy as np

SECONDS = 0.02  # one step
SPEED = 0.13 * 2 * np.pi  # scale of the Rayleigh distribution, in m/s
TURN = 5.76 * 2  # standard deviation of the turning velocity, in rad/s
BORDER = 0.03  # how near a wall is felt, in m
SLOWER = 0.25  # speed there, as a fraction


def walk(count, steps, box, generator):
    """Simulates agents that start anywhere in the box, in any direction.

    Args:
        count: How many agents.
        steps: How many steps each takes.
        box: Side of the box in metres; its centre is the origin.
        generator: A `numpy.random.Generator`.

    Returns:
        A float32 array of positions, `(count, steps + 1, 2)`, in metres.
    """
    half = box / 2
    speed = generator.rayleigh(SPEED, (steps, count))
    turn = generator.normal(0.0, TURN * SECONDS, (steps, count))
    heading = generator.uniform(0.0, 2 * np.pi, count)
    position = np.empty((steps + 1, count, 2))
    position[0] = generator.uniform(-half, half, (count, 2))
    for step in range(steps):
        near, along = _wall(position[step], heading, half)
        length = SECONDS * speed[step] * np.where(near, SLOWER, 1.0)
        move = length * np.stack([np.cos(heading), np.sin(heading)])
        # A long step can reach through the border: the wall stops it.
        position[step + 1] = np.clip(position[step] + move.T, -half, half)
        heading = heading + along + turn[step]
    return position.transpose(1, 0, 2).astype("float32")


def _wall(position, heading, half):
    """Whether the nearest wall is close and ahead, and the turn along it."""
    right_top = half - position
    distance = np.concatenate([right_top, half + position], axis=1)
    nearest = distance.argmin(axis=1)  # right, top, left, bottom
    angle = heading - nearest * np.pi / 2
    angle = (angle + np.pi) % (2 * np.pi) - np.pi
    near = (distance.min(axis=1) < BORDER) & (np.abs(angle) < np.pi / 2)
    along = np.sign(angle) * (np.pi / 2 - np.abs(angle))
    return near, np.where(near, along, 0.0)
