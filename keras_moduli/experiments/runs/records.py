"""A file of finished runs, a line each: what tables are made of."""

import json
from pathlib import Path

from keras_moduli.experiments.runs.folders import FORMAT
from keras_moduli.experiments.runs.settings import Settings
from keras_moduli.utils.files import write_text
from keras_moduli.version import __version__

SUFFIX = ".jsonl"


class Recorded:
    """A finished run of which only settings and metrics are left.

    Args:
        settings: Its `Settings`.
        metrics: What was measured in the end, a dict.
        ticket: The metrics of its lottery ticket, or `None`.
    """

    finished = True

    def __init__(self, settings, metrics, ticket=None):
        self.settings = settings
        self._metrics = metrics
        self.ticket = None if ticket is None else Recorded(settings, ticket)

    @classmethod
    def of(cls, run):
        """What is recorded of a `Run`."""
        ticket = run.ticket.metrics() if run.ticket else None
        return cls(run.settings, run.metrics(), ticket)

    def metrics(self):
        return self._metrics

    def to_dict(self):
        ticket = {"ticket": self.ticket.metrics()} if self.ticket else {}
        settings = self.settings.to_dict()
        return {"settings": settings, "metrics": self._metrics, **ticket}


class Records:
    """The runs of a file, by name.

    Args:
        path: A `.jsonl` file. It need not exist.
        document: The sweep it belongs to: its task and the digest of its
            data. `None` reads whatever stands in the file.

    Raises:
        ValueError: If it holds runs of something else, or no runs.
    """

    def __init__(self, path, document=None):
        self.path = Path(path)
        self.runs = {}
        if self.path.is_file():
            found = self._read()
            if document not in (None, found):
                raise ValueError(
                    f"`out` holds runs of {found}, these are of {document}. "
                    f"Choose another file. Received: out='{path}'"
                )
            document = found
        elif document is None or self.path.exists():
            raise ValueError(
                f"There is no file of runs. Received: '{self.path}'"
            )
        self.document = document

    def add(self, name, run):
        """Writes another run into the file, which is replaced as a whole."""
        self.runs[name] = Recorded.of(run)
        head = {"keras_moduli": __version__, "format": FORMAT, **self.document}
        lines = [head] + [
            {"run": name, **self.runs[name].to_dict()}
            for name in sorted(self.runs)
        ]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(
            self.path,
            "".join(json.dumps(x, ensure_ascii=False) + "\n" for x in lines),
        )

    def _read(self):
        try:
            text = self.path.read_text("utf-8")
            head, *lines = map(json.loads, text.splitlines())
            document = {"sweep": head["sweep"], "data": head["data"]}
            for line in lines:
                self.runs[line["run"]] = Recorded(
                    Settings.from_dict(line["settings"]),
                    line["metrics"],
                    line.get("ticket"),
                )
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                "This is no file of runs that `keras-moduli sweep` made, or "
                f"it is damaged: {error}. Received: '{self.path}'"
            ) from error
        return document
