"""Runs scripts in processes of their own, which never outlive the test."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from command import python

WORKERS = Path(__file__).parent / "workers"
ROOT = Path(__file__).parents[3]


def free_ports(count):
    """Ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


def run(script, folder, settings, backend="tensorflow", timeout=240):
    """Runs one process for each of `settings`, all at once.

    Args:
        script: Name of a file in `workers`. It is given the JSON file of its
            settings, and the name of the JSON file that it must write.
        folder: Where those files are.
        settings: List of dicts.
        backend: Of Keras.
        timeout: Seconds for all together.

    Returns:
        List of what the processes wrote.
    """
    processes, outputs = [], []
    deadline = time.monotonic() + timeout
    try:
        for number, setting in enumerate(settings):
            given = folder / f"settings{number}.json"
            outputs.append(folder / f"result{number}.json")
            given.write_text(json.dumps(setting))
            processes.append(_start(script, given, outputs[-1], backend))
        for process in processes:
            printed, _ = process.communicate(
                timeout=max(1, deadline - time.monotonic())
            )
            assert process.returncode == 0, printed[-4000:]
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
    return [json.loads(output.read_text()) for output in outputs]


def _start(script, given, output, backend):
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("TF_CONFIG", "XLA_FLAGS")
    }
    environment["KERAS_BACKEND"] = backend
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(WORKERS)])
    environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
    return subprocess.Popen(
        python((WORKERS / script).read_text(), given, output),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
