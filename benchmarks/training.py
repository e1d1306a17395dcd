"""Training steps of small tasks, beside the same models in plain PyTorch.

`python benchmarks/training.py [--quick]` prints a table; KERAS_BACKEND=jax
makes it one of JAX. Every column is timed in turn, in rounds, so that what
else the machine does disturbs all alike, and has a process of its own: PyTorch
can be half as fast in one that holds TensorFlow. It gets the batches from the
same NumPy functions; both sides make them on the way, as real trainings do.
"""

import argparse
import concurrent.futures
import contextlib
import multiprocessing
import os
import statistics
import time

import keras
import numpy as np
import torch

from keras_moduli import ModuliRegularizer
from keras_moduli.experiments.runs.training import make_deterministic
from keras_moduli.tasks import TASKS
from keras_moduli.tasks.navigation import place_cells
from keras_moduli.utils.backend import BAKES_MASKS


class Adding(torch.nn.Module):
    """A ReLU RNN with a linear read-out of its last state."""

    def __init__(self, task):
        super().__init__()
        self.rnn = torch.nn.RNN(
            2, task.units, nonlinearity="relu", batch_first=True
        )
        self.decoder = torch.nn.Linear(task.units, 1)
        self.kernel = self.rnn.weight_hh_l0
        self.optimizer = torch.optim.Adam(self.parameters(), task.learning_rate)
        self.clip = 0.5

    def loss(self, x, y):
        states, _ = self.rnn(torch.from_numpy(x))
        answer = self.decoder(states[:, -1])
        return torch.mean((answer - torch.from_numpy(y)) ** 2)


class Navigation(torch.nn.Module):
    """A ReLU RNN without biases, from and to place cells."""

    def __init__(self, task):
        super().__init__()
        self.width = task.width
        self.centres = torch.from_numpy(place_cells.centres(task.cells, 2.2))
        self.encoder = torch.nn.Linear(task.cells, task.units, bias=False)
        self.rnn = torch.nn.RNN(
            2, task.units, nonlinearity="relu", bias=False, batch_first=True
        )
        self.decoder = torch.nn.Linear(task.units, task.cells, bias=False)
        self.kernel = self.rnn.weight_hh_l0
        self.optimizer = torch.optim.AdamW(
            self.parameters(), task.learning_rate, weight_decay=0.01
        )
        self.clip = None

    def code(self, positions):
        # Coordinate by coordinate, which is faster here too.
        square = sum(
            (positions[..., axis, None] - self.centres[:, axis]) ** 2
            for axis in range(2)
        )
        inner = torch.softmax(-square / (2 * self.width**2), -1)
        outer = torch.softmax(-square / (4 * self.width**2), -1)
        activity = inner - outer
        activity = activity - activity.min(-1, keepdim=True).values
        return activity / activity.sum(-1, keepdim=True)

    def loss(self, x, y):
        state = self.encoder(self.code(torch.from_numpy(x["start"])))
        states, _ = self.rnn(torch.from_numpy(x["displacement"]), state[None])
        likelihood = torch.log_softmax(self.decoder(states), -1)
        wanted = self.code(torch.from_numpy(np.ascontiguousarray(y)))
        return -(wanted * likelihood).sum(-1).mean()


def torch_runner(task, network):
    """Takes so many training steps in PyTorch."""
    penalty = ModuliRegularizer("torus", seed=0).penalty(task.units)
    # [target, source] there.
    penalty = torch.from_numpy(keras.ops.convert_to_numpy(penalty).T.copy())
    batches = task.training(0, 0)

    def run(steps):
        for _ in range(steps):
            network.optimizer.zero_grad()
            loss = network.loss(*next(batches))
            loss = loss + 1e-3 * torch.mean(penalty * network.kernel.abs())
            loss.backward()
            if network.clip:
                torch.nn.utils.clip_grad_norm_(
                    network.parameters(), network.clip
                )
            network.optimizer.step()

    return run


def keras_runner(task, **compiled):
    """Takes so many training steps the way that runs do."""
    model = task.model(1000, ModuliRegularizer("torus", seed=0, factor=1e-3))
    for name, value in compiled.items():
        setattr(model, name, value)
    batches = task.training(0, 0)

    def run(steps):
        model.fit(batches, steps_per_epoch=steps, verbose=0, shuffle=False)

    return run


# Not with jit_compile: Keras refuses it where operations are deterministic,
# which runs that resume to the same result need. On JAX everything is compiled
# anyway, and masks are applied after every single step.
VARIANTS = {
    "one by one": {},
    "as runs are": {} if BAKES_MASKS else {"steps_per_execution": 10},
}


NETWORKS = {"adding": Adding, "navigation": Navigation}
_prepared = {}  # in a column's own process


def prepare(column, name):
    """Makes ready what `timed` runs in this process."""
    make_deterministic()
    sizes = TASKS[name].presets["small"]
    task = TASKS[name](
        **{k: sizes[k] for k in ("units", "sequence_length") if k in sizes}
    )
    _prepared["run"] = (
        torch_runner(task, NETWORKS[name](task))
        if column == "PyTorch"
        else keras_runner(task, **VARIANTS[column])
    )


def timed(steps):
    """Seconds that so many steps take."""
    start = time.perf_counter()
    _prepared["run"](steps)
    return time.perf_counter() - start


def process(column, name):
    """A process in which a column of a task is ready to be timed."""
    # PyTorch's process must not load TensorFlow through Keras.
    backend = "torch" if column == "PyTorch" else keras.backend.backend()
    os.environ["KERAS_BACKEND"] = backend
    executor = concurrent.futures.ProcessPoolExecutor(
        1, multiprocessing.get_context("spawn")
    )
    executor.submit(prepare, column, name).result()
    return executor


def measure(name, steps, rounds):
    """Milliseconds per step: a dict from a column's name to the median."""
    times = {column: [] for column in ("PyTorch", *VARIANTS)}
    with contextlib.ExitStack() as stack:
        processes = {
            column: stack.enter_context(process(column, name))
            for column in times
        }
        for attempt in range(rounds + 1):
            for column, executor in processes.items():
                seconds = executor.submit(timed, steps).result()
                if attempt:  # the first compiles
                    times[column].append(1000 * seconds / steps)
    return {column: statistics.median(t) for column, t in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="try it out")
    quick = parser.parse_args().quick
    steps, rounds = (20, 1) if quick else (200, 7)
    columns = ["PyTorch", *VARIANTS]
    print(f"Keras on {keras.backend.backend()}\n")
    print(f"| task | {' | '.join(f'{c} (ms/step)' for c in columns)} | ratio |")
    print("|---" * (len(columns) + 2) + "|")
    for name in ["navigation"] if quick else NETWORKS:
        found = measure(name, steps, rounds)
        cells = [f"{found[column]:.2f}" for column in columns]
        ratio = found["as runs are"] / found["PyTorch"]
        print(f"| {name} | {' | '.join(cells)} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
