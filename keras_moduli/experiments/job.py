"""The main job: a sparse training, its rivals, exports, comparison, report."""

import dataclasses
import shutil
from pathlib import Path

import keras

from keras_moduli.experiments import rivals
from keras_moduli.experiments.reports import report
from keras_moduli.experiments.reports.latency import latencies
from keras_moduli.experiments.reports.pictures import draw
from keras_moduli.experiments.reports.tradeoff import recurrent_units
from keras_moduli.experiments.reports.tradeoff import tested_file
from keras_moduli.experiments.runs import folders
from keras_moduli.experiments.runs.models import check
from keras_moduli.experiments.runs.settings import Settings
from keras_moduli.experiments.runs.training import Run
from keras_moduli.experiments.trainings import Trainings
from keras_moduli.export import export_saved_model
from keras_moduli.tasks.streams import first
from keras_moduli.utils.files import atomic_path
from keras_moduli.utils.files import write_text

# The dense file is what everybody has, also where `auto` found a better one.
_LAYOUTS = dict.fromkeys((rivals.DENSE, rivals.TWIN, rivals.SHRUNKEN), "dense")


class Job:
    """Trains a sparse model and its rivals, exports and compares all.

    Made by `start` or `resume`, which raise on bad input before anything is
    written.

    Args:
        folder: Where everything is written.
        settings: The `Settings` of the sparse run.
        task: What `settings.make_task()` gave.
        beside: The names of its rivals, some of `rivals.RIVALS`.

    Attributes:
        runs: A dict from name to `Run`: once they are trained, the rivals'
            best ones too, the sparse one last.
    """

    def __init__(self, folder, settings, task, beside):
        self.folder = Path(folder)
        self.settings = settings
        self.task = task
        self.beside = beside
        self.runs = {"sparse": Run(self.folder / "sparse", settings, task)}

    @classmethod
    def start(cls, folder, settings, overwrite=False, beside=None):
        """A new job in a new folder.

        Args:
            folder: The folder.
            settings: The `Settings` of the sparse run.
            overwrite: Whether to replace an earlier run.
            beside: The names of the rivals, `None` for the usual ones.

        Raises:
            ValueError: If the folder or a setting cannot be used; nothing is
                written or removed then.
        """
        folder = Path(folder).absolute()
        folders.check_new(folder, overwrite)
        beside = rivals.checked(beside, settings)
        task = settings.make_task()
        check(settings, task)
        folders.clean(folder)
        folders.create(
            folder,
            {
                "settings": settings.to_dict(),
                "data": task.digest,
                "beside": beside,
            },
        )
        return cls(folder, settings, task, beside)

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
        beside = rivals.checked(document.get("beside"), settings)
        stored = {**task_settings, **settings.to_dict(), "beside": beside}
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
        return cls(folder, settings, task, beside)

    def run(self, console, deadline=None, jobs=1):
        """Does everything that is not done yet.

        Args:
            console: A `rich.console.Console`.
            deadline: When to stop, as `time.time()` counts, or `None`.
            jobs: How many trainings at a time.

        Returns:
            The report, a JSON-able dict.

        Raises:
            OutOfTime: If the deadline came first; the next call goes on.
        """
        done = self.folder / "report.json"  # written last
        if not done.is_file():
            self._do(console, done, deadline, jobs)
        return folders.read_json(done)

    def _do(self, console, done, deadline, jobs):
        for name, text in self.task.assets().items():
            write_text(self.folder / name, text)
        as_large = [
            run
            for name in self.beside
            if name in rivals.AS_LARGE
            for run in rivals.runs(name, self)
        ]
        work = Trainings(console, jobs, deadline)
        work.side_by_side([self.runs["sparse"], *as_large])
        work.train(self.runs["sparse"])
        with console.status("Exporting"):
            files = {"sparse": self._files("sparse", console)}
        for name in self.beside:
            self._add(name, files, console, work)
        self.runs = {
            name: self.runs[name]
            for name in (*self.beside, "sparse")
            if name in self.runs
        }
        with console.status("Comparing"):
            result = self._compare(files)
        with console.status("Drawing"):
            result["pictures"] = self._draw(console)
        write_text(self.folder / "report.md", report.markdown(result))
        folders.write_json(done, result)

    def _add(self, name, files, console, work):
        """Trains a rival and exports it, if there is one."""
        try:
            runs = rivals.runs(name, self, _bytes(files["sparse"]))
        except ValueError as error:
            console.print(f"No {report.NAMES[name]}: {error}")
            return
        work.side_by_side(runs)
        trained = []
        for run in runs:
            try:
                work.train(run)
            except FloatingPointError:
                name_of_run = run.folder.name
                console.print(f"{name_of_run}: its learning rate is too large")
            else:
                trained.append(run)
        if trained:
            metric = self.task.metric
            self.runs[name] = min(trained, key=lambda r: r.metrics()[metric])
            with console.status("Exporting"):
                files[name] = self._files(name, console)

    def _draw(self, console):
        """The names of the pictures; machines that only train need none."""
        try:
            return draw(self.folder, self.runs, self.task.metric_label)
        except ImportError as error:
            console.print(f"No pictures: {error}")
            return []

    def _place(self, name):
        """The folder of a model's files."""
        return self.folder if name == "sparse" else self.runs[name].folder

    def _files(self, name, console):
        """Writes a model's files, and measures them.

        Returns:
            A dict from format to a dict with `bytes` and `gzip_bytes`.
        """
        place = self._place(name)
        if name == "sparse":
            _copy(place / "sparse" / "model.keras", place / "model.keras")
        files = {"keras": report.file_sizes(place / "model.keras")}
        if keras.backend.backend() == "tensorflow":
            layout = _LAYOUTS.get(name, "auto")
            return files | self._export(self.runs[name].model(), place, layout)
        if name == "sparse":
            console.print(
                "No exports: they need the TensorFlow backend, this is "
                f"{keras.backend.backend()}. The trained models can be "
                "exported later, where KERAS_BACKEND=tensorflow."
            )
        return files

    def _compare(self, files):
        units = {n: recurrent_units(r.model()) for n, r in self.runs.items()}
        times = {}
        if _bytes(files["sparse"]):
            times = latencies(
                {n: self._place(n) / "model.tflite" for n in self.runs},
                first(1, self.task.validation[0]),
            )
        return report.build(self, units, files, times)

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


def _bytes(files):
    """The bytes of an exported file, `None` if there is none."""
    return files["tflite"]["bytes"] if "tflite" in files else None


def _copy(source, target):
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
