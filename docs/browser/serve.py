"""Serves the page, with a folder's model, on this machine alone.

    python docs/browser/serve.py runs/first

The folder holds `step.tflite`, a streaming file, and `vocabulary.json`.
"""

import argparse
import functools
import http.server
from pathlib import Path

HERE = Path(__file__).parent


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of this folder; below `/model/`, those of the model's."""

    extensions_map = {
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".wasm": "application/wasm",
    }

    def __init__(self, *arguments, model, **options):
        self.model = model
        super().__init__(*arguments, directory=str(HERE), **options)

    def translate_path(self, path):
        """The file of a URL; the parent class keeps it inside its folder."""
        of_model = path.startswith("/model/")
        self.directory = str(self.model if of_model else HERE)
        return super().translate_path(path[len("/model") * of_model :])

    def end_headers(self):
        # Without these two a browser gives no threads to WebAssembly.
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *arguments):
        """Says nothing of every request."""


def server(model, port):
    """The server of a folder; port 0 for any that is free."""
    make = functools.partial(Handler, model=Path(model).absolute())
    return http.server.ThreadingHTTPServer(("127.0.0.1", port), make)


def main():
    """What the command does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", metavar="DIR", help="folder of the model")
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    needed = {
        Path(arguments.model) / "step.tflite": "keras-moduli export "
        "--streaming writes it",
        Path(arguments.model) / "vocabulary.json": "keras-moduli train "
        "language writes it",
        HERE / "node_modules/@litertjs/core": "npm install --prefix "
        "docs/browser brings it",
    }
    for path, how in needed.items():
        if not path.exists():
            parser.error(f"there is no {path}: {how}")
    with server(arguments.model, arguments.port) as running:
        print(f"http://127.0.0.1:{running.server_port}/ (end with Ctrl+C)")
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
