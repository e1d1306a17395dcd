"""Sweeps on a real Ray cluster of two nodes on this machine."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import pytest
from command import COMMAND
from command import ON_THE_FASTEST
from command import needs
from processes import free_ports

from keras_moduli.cli import parser

SWEEP = [
    *("sweep", "adding", "--units", "8", "--sequence-length", "4"),
    *("--steps", "20", "--epochs", "2", "--control", "none"),
    *("--seeds", "1", "--quiet"),
]


def node(command, *options):
    script = os.path.join(os.path.dirname(sys.executable), "ray")
    return subprocess.Popen(
        [
            *(sys.executable, script, command, *options, "--block"),
            *("--num-cpus", "1", "--disable-usage-stats"),
        ],
        # Ray's workers give way to other processes, and other tests leave
        # them next to nothing.
        env={**ON_THE_FASTEST, "RAY_worker_niceness": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def address():
    """The address of a cluster of a head and another node, one core each."""
    # Ray's own folder must have a short name: it holds sockets.
    scratch = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    (port,) = free_ports(1)
    where = f"127.0.0.1:{port}"
    head = node(
        *("start", "--head", "--node-ip-address", "127.0.0.1"),
        *("--port", str(port), "--include-dashboard", "false"),
        *("--temp-dir", scratch),
    )
    other = None
    try:
        wait_for_port(port)
        other = node("start", "--address", where)
        wait_for_nodes(where, 2)
        yield where
    finally:
        for process in (other, head):
            if process is not None:
                process.terminate()
                process.wait(60)
        shutil.rmtree(scratch, ignore_errors=True)


def wait_for_port(port):
    end = time.monotonic() + 300
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < end
            time.sleep(0.2)


def wait_for_nodes(where, nodes):
    """Waits in a process of its own: a driver cannot change its cluster."""
    script = (
        "import ray, time\n"
        "for _ in range(150):\n"
        "    try:\n"
        f"        ray.init(address={where!r}, log_to_driver=False)\n"
        "        break\n"
        "    except Exception:\n"
        "        time.sleep(1)\n"
        "for _ in range(150):\n"
        "    alive = [n for n in ray.nodes() if n['Alive']]\n"
        f"    if len(alive) >= {nodes}:\n"
        "        raise SystemExit(0)\n"
        "    time.sleep(1)\n"
        "raise SystemExit(1)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=400)


def run(*arguments):
    return subprocess.run(
        [COMMAND, *map(str, arguments)],
        env=ON_THE_FASTEST,
        capture_output=True,
        text=True,
        timeout=300,
    )


@needs("ray")
@pytest.mark.slow
def test_a_cluster_fills_the_same_folders(tmp_path, address):
    done = run(*SWEEP, "--ray", address, "--out", tmp_path / "ray")
    assert done.returncode == 0, done.stderr
    local = run(*SWEEP, "--out", tmp_path / "local")
    assert local.returncode == 0, local.stderr
    names = {
        where: sorted(
            str(path.relative_to(tmp_path / where))
            for path in (tmp_path / where).rglob("*")
        )
        for where in ("ray", "local")
    }
    assert names["ray"] == names["local"]
    for file in (tmp_path / "ray").glob("*/metrics.json"):
        twin = tmp_path / "local" / file.parent.name / "metrics.json"
        one, two = (json.loads(f.read_text()) for f in (file, twin))
        assert one["test"]["mse"] == pytest.approx(two["test"]["mse"], rel=1e-4)

    # A run that fails there is marked here, and the other one stays.
    broken = next((tmp_path / "ray").glob("torus*"))
    (broken / "metrics.json").unlink()
    (broken / "checkpoints" / "epoch-000001").mkdir(parents=True)
    (broken / "checkpoints" / "epoch-000001" / "model.keras").write_text("no")
    again = run(*SWEEP, "--ray", address, "--out", tmp_path / "ray")
    assert again.returncode == 1
    assert f"1 runs failed: {broken.name}" in again.stderr
    assert (broken / "failed.txt").is_file()


def test_no_cluster_and_no_ray_are_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    out = str(tmp_path / "out")
    assert parser.main([*SWEEP, "--ray", "auto", "--out", out]) == 2
    assert "pip install 'keras-moduli[ray]'" in capsys.readouterr().err
