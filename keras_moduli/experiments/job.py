"""The main job: dense and sparse trainings, exports, comparison, report."""

import dataclasses
import shutil
from pathlib import Path

import keras

from keras_moduli.experiments.reports import report
from keras_moduli.experiments.reports.latency import latencies
from keras_moduli.experiments.reports.pictures import draw
from keras_moduli.experiments.reports.tradeoff import recurrent_units
from keras_moduli.experiments.reports.tradeoff import tested_file
from keras_moduli.experiments.runs import folders
from keras_moduli.experiments.runs.models import check
from keras_moduli.experiments.runs.settings import DENSE_TWIN
from keras_moduli.experiments.runs.settings import Settings
from keras_moduli.experiments.runs.training import Run
from keras_moduli.experiments.runs.twin import twin_units
from keras_moduli.export import export_saved_model
from keras_moduli.tasks.streams import first
from keras_moduli.utils.files import atomic_path
from keras_moduli.utils.files import write_text

# The dense file is what everybody has, also where `auto` found a better one.
_LAYOUTS = {"dense": "dense", "twin": "dense", "sparse": "auto"}
# Small nets like larger steps: the twin is the better one of two trainings, at
# the learning rate of the others and at so many times as much.
_TWIN_RATES = {"twin": 1, "twin_fast": 3}


class Job:
    """Trains a model dense and sparse, and the dense twin of the sparse one.

    All are exported and compared.

    Made by `start` or `resume`, which raise on bad input before anything is
    written.

    Args:
        folder: Where everything is written.
        settings: The `Settings` of the sparse run.
        task: What `settings.make_task()` gave.
    """

    def __init__(self, folder, settings, task):
        self.folder = Path(folder)
        self.settings = settings
        self.task = task
        self.runs = {
            "dense": Run(self.folder / "dense", settings.dense(), task),
            "sparse": Run(self.folder / "sparse", settings, task),
        }

    @classmethod
    def start(cls, folder, settings, overwrite=False):
        """A new job in a new folder.

        Raises:
            ValueError: If the folder or a setting cannot be used; nothing is
                written or removed then.
        """
        folder = Path(folder).absolute()
        folders.check_new(folder, overwrite)
        task = settings.make_task()
        check(settings, task)
        folders.clean(folder)
        folders.create(
            folder, {"settings": settings.to_dict(), "data": task.digest}
        )
        return cls(folder, settings, task)

    @classmethod
    def resume(cls, folder, task, given):
        """Goes on with the job of a folder.

        Args:
            folder: A folder that `start` made.
            task: The task's name, to check against the folder's own.
            given: Settings to check against the folder's own, a dict from
                name to value; task settings among them.

        Raises:
            ValueError: If there is no job, or it has other settings or data.
        """
        folder = Path(folder).absolute()
        document = folders.load(folder)
        if "settings" not in document:
            raise ValueError(
                "`out` holds something else than a run of `keras-moduli "
                f"train`, perhaps a sweep. Received: out='{folder}'"
            )
        settings = Settings.from_dict(document["settings"])
        task_settings = dataclasses.asdict(settings.make_task())
        stored = {**task_settings, **settings.to_dict()}
        for name, value in {"task": task, **given}.items():
            if stored.get(name) != value:
                raise ValueError(
                    f"`{name}` of the run to resume is {stored.get(name)!r}, "
                    f"which cannot change. Received: {name}={value!r}"
                )
        task = settings.make_task()
        if task.digest != document["data"]:
            raise ValueError(
                "`out` was made from other data than is there now: "
                f"{task.describe()}. Received: out='{folder}'"
            )
        folders.clean(folder)
        return cls(folder, settings, task)

    def run(self, console, deadline=None):
        """Does everything that is not done yet.

        Args:
            console: A `rich.console.Console`.
            deadline: When to stop, as `time.time()` counts, or `None`.

        Returns:
            The report, a JSON-able dict.

        Raises:
            OutOfTime: If the deadline came first; the next call goes on.
        """
        done = self.folder / "report.json"  # written last
        if not done.is_file():
            self._do(console, done, deadline)
        return folders.read_json(done)

    def _do(self, console, done, deadline):
        for name, text in self.task.assets().items():
            write_text(self.folder / name, text)
        for name, run in self.runs.items():
            run.train(console, name, deadline)
        self._add_twin(console, deadline)
        with console.status("Exporting and comparing"):
            result = self._compare(console)
        with console.status("Drawing"):
            result["pictures"] = self._draw(console)
        write_text(self.folder / "report.md", report.markdown(result))
        folders.write_json(done, result)

    def _add_twin(self, console, deadline):
        """Trains the dense model of as many weights, if there is one."""
        settings = self.settings
        if not settings.sparsity or settings.control == DENSE_TWIN:
            return
        try:
            twin_units(self.task, settings.weights, settings.sparsity)
        except ValueError as error:
            console.print(f"No dense twin: {error}")
            return
        rate = self.task.first_learning_rate
        twins = []
        for name, times in _TWIN_RATES.items():
            twin = settings.twin(times * rate)
            run = Run(self.folder / name, twin, twin.make_task())
            try:
                run.train(console, name, deadline)
            except FloatingPointError:
                console.print(f"{name}: its learning rate is too large")
                continue
            twins.append(run)
        if twins:
            metric = self.task.metric
            best = min(twins, key=lambda run: run.metrics()[metric])
            self.runs = {
                "dense": self.runs["dense"],
                "twin": best,
                "sparse": self.runs["sparse"],
            }

    def _draw(self, console):
        """The names of the pictures; machines that only train need none."""
        try:
            return draw(self.folder, self.runs, self.task.metric_label)
        except ImportError as error:
            console.print(f"No pictures: {error}")
            return []

    def _compare(self, console):
        models = {name: run.model() for name, run in self.runs.items()}
        places = {name: run.folder for name, run in self.runs.items()}
        places["sparse"] = self.folder
        _copy(
            self.folder / "sparse" / "model.keras", self.folder / "model.keras"
        )
        files = {
            name: {"keras": report.file_sizes(place / "model.keras")}
            for name, place in places.items()
        }
        latency = {}
        if keras.backend.backend() == "tensorflow":
            for name, place in places.items():
                files[name].update(
                    self._export(models[name], place, _LAYOUTS[name])
                )
            latency = latencies(
                {n: place / "model.tflite" for n, place in places.items()},
                first(1, self.task.validation[0]),
            )
        else:
            console.print(
                "No exports: they need the TensorFlow backend, this is "
                f"{keras.backend.backend()}. The trained models can be "
                "exported later, where KERAS_BACKEND=tensorflow."
            )
        units = {name: recurrent_units(m) for name, m in models.items()}
        return report.build(self, units, files, latency)

    def _export(self, model, folder, layout):
        """Writes the SavedModel and the .tflite file of one model."""
        saved = export_saved_model(
            model,
            folder / "saved_model",
            inputs=first(8, self.task.validation[0]),
        )
        tflite, metric = tested_file(
            model, self.task, folder / "model.tflite", layout, *self.task.test
        )
        return {
            "saved_model": saved.to_dict(),
            "tflite": {**tflite.to_dict(), self.task.metric: metric},
        }


def _copy(source, target):
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
