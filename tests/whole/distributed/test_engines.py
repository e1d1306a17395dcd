"""Replicas agree bit for bit, and end exactly sparse, under real engines."""

import itertools
import time

import processes
import pytest
import tensorflow_model_optimization as tfmot
from workers.common import SCHEDULE

pytestmark = pytest.mark.slow

SIZE, STEPS = 8 * 32, 24
OPTIMIZERS = {
    "plain": {},
    "averaging": {"use_ema": True, "ema_momentum": 0.9},
}


def expected_zeros():
    """How many weights are pruned after each step, by TF-MOT's schedule."""
    config = SCHEDULE["config"]
    decay = tfmot.sparsity.keras.PolynomialDecay(**config)
    counts = []
    for step in range(1, STEPS + 1):
        past = [s for s in range(step + 1) if bool(decay(s)[0])]
        target = float(decay(past[-1])[1]) if past else 0.0
        if step >= config["end_step"]:
            target = config["final_sparsity"]
        counts.append(SIZE - round(SIZE * (1 - target)))
    return counts


def check(results, averaging):
    """All replicas of all processes, after every batch."""

    def per_batch(key):
        return [
            list(itertools.chain.from_iterable(parts))
            for parts in zip(*(r[key] for r in results), strict=True)
        ]

    for key in ("masks", "weights"):
        batches = per_batch(key)
        assert len(batches) == STEPS
        assert all(len(replicas) == 2 for replicas in batches)
        assert all(len(set(replicas)) == 1 for replicas in batches), key
    assert per_batch("zeros") == [[n, n] for n in expected_zeros()]
    for averages in per_batch("averages"):
        assert len(averages) == 2 * averaging
        assert len({digest for digest, _ in averages}) <= 1
        assert all(pruned == 0.0 for _, pruned in averages)
    last = [zeros for r in results for zeros in r["last_zeros"]]
    assert last == [expected_zeros()[-1]] * 2
    assert len({digest for r in results for digest in r["last"]}) == 1
    assert {r["logged"] for r in results} == {expected_zeros()[-1] / SIZE}


@pytest.mark.parametrize(
    "optimizer, constraint", [("plain", None), ("averaging", "max_norm")]
)
def test_mirrored_strategy(optimizer, constraint, tmp_path):
    results = processes.run(
        "mirrored.py",
        tmp_path,
        [
            {
                "optimizer": OPTIMIZERS[optimizer],
                "model": {"recurrent_constraint": constraint},
            }
        ],
    )
    check(results, optimizer == "averaging")


@pytest.mark.parametrize("optimizer, count", [("plain", 1), ("averaging", 2)])
def test_jax_data_parallel(optimizer, count, tmp_path):
    (port,) = processes.free_ports(1)
    results = processes.run(
        "data_parallel.py",
        tmp_path,
        [
            {
                "processes": count,
                "process": process,
                "port": port,
                "optimizer": OPTIMIZERS[optimizer],
                "model": {},
            }
            for process in range(count)
        ],
        backend="jax",
    )
    assert len(results) == count
    check(results, optimizer == "averaging")


WRAPPED = {
    "all kernels": {
        "lstm/lstm_cell/kernel",
        "lstm/lstm_cell/recurrent_kernel",
        "dense/kernel",
    },
    "recurrent kernels": {"lstm/lstm_cell/recurrent_kernel"},
}


def test_tf_keras_multi_worker_through_tfmot(tmp_path):
    ports = processes.free_ports(2)
    one, other = processes.run(
        "multi_worker.py",
        tmp_path,
        [{"ports": ports, "process": p} for p in range(2)],
    )
    assert one == other
    assert one.keys() == WRAPPED.keys()
    for what, pruned in WRAPPED.items():
        found = one[what]
        assert len(found["masks"]) == len(pruned)
        assert found["sparsity"] == {
            name: 0.75 if name in pruned else 0.0 for name in found["sparsity"]
        }
        assert pruned <= set(found["sparsity"])


def test_a_process_that_hangs_is_ended(tmp_path):
    begin = time.monotonic()
    with pytest.raises(processes.subprocess.TimeoutExpired):
        processes.run("hangs.py", tmp_path, [{}], timeout=1)
    assert time.monotonic() - begin < 50
