"""Processes for conversions that find TensorFlow imported.

Its import takes most of the time of a small conversion. One process imports
it, and forks for every conversion; each still has a process of its own.
"""

import functools
import subprocess
import sys
import types

PROGRAM = """
import gc, os, runpy, sys, traceback
gc.disable()
import tensorflow
gc.freeze()
for line in sys.stdin:
    sys.argv = line.rstrip("\\n").split("\\t")
    child = os.fork()
    if not child:
        os.dup2(2, 1)  # what it says is no answer
        code = 1
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class Converter:
    """Stands in for `calibration._process`."""

    @functools.cached_property
    def _server(self):
        return subprocess.Popen(
            [sys.executable, "-P", "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __call__(self, script, *arguments):
        self._server.stdin.write("\t".join([script, *arguments]) + "\n")
        self._server.stdin.flush()
        code = int(self._server.stdout.readline())
        return types.SimpleNamespace(returncode=code, stderr="")

    def close(self):
        if "_server" in vars(self):  # anything was converted
            self._server.communicate()
