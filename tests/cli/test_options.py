"""The options of a run: what tasks declare, and what the help says of it."""

import dataclasses
import re

import pytest

from keras_moduli.cli import commands
from keras_moduli.cli import options
from keras_moduli.cli import parser
from keras_moduli.experiments.runs.settings import Settings
from keras_moduli.tasks import TASKS
from keras_moduli.tasks.adding import Adding
from keras_moduli.tasks.options import option


def described(capsys, command):
    """What the help says of every option, a dict."""
    with pytest.raises(SystemExit) as stop:
        parser.main([command, "--help"])
    assert stop.value.code == 0
    _, text = capsys.readouterr().out.split("options:")
    found = re.findall(
        r"^  --(\S+)(?: [A-Z\[\].,]+)*(.*?)(?=^  -|\Z)",
        text,
        re.DOTALL | re.MULTILINE,
    )
    return {
        name.replace("-", "_"): " ".join(said.split()) for name, said in found
    }


def stated(said, task):
    """The default that the description of an option states for a task."""
    for text, defaults in re.findall(r"([^()]+)\(default: ([^)]*)\)", said):
        whose = set(text.removeprefix("; ").partition(":")[0].split(", "))
        if whose <= set(TASKS) and task not in whose:
            continue
        for default in defaults.split("; "):
            value, _, tasks = default.partition(" for ")
            if not tasks or task in tasks.split(", "):
                return value
    return None


@pytest.mark.parametrize("command", ["train", "sweep"])
def test_help_names_the_true_defaults_of_every_task(capsys, command):
    said = described(capsys, command)
    for name in TASKS:
        task = Settings.of(name, {}).make_task()
        for field in dataclasses.fields(task):
            if field.name == "validation_size":
                assert field.name not in said
            elif field.name == "text":
                assert "standard library" in said["text"]
            elif field.name == "data":
                assert "AutoTS" in said["data"]
            else:
                true = str(getattr(task, field.name))
                assert stated(said[field.name], name) == true, field.name


@pytest.mark.parametrize("command", ["train", "sweep"])
def test_help_names_the_true_defaults_of_a_run(capsys, command):
    said = described(capsys, command)
    true = Settings.of("language", {}).to_dict()
    true["block_size"] = " ".join(map(str, true["block_size"]))
    for name in options.RUN_OPTIONS:
        (default,) = re.findall(r"\(default: ([^)]*)\)", said[name])
        assert default == str(true[name]), name


@dataclasses.dataclass(frozen=True)
class Echo(Adding):
    """A task that nothing but the registry knows of."""

    units: int = option(16, "N", "hidden units")
    batch_size: int = option(8, "N", "sequences in a batch")
    delay: int = option(3, "N", "steps until a number is asked for")
    pitches: tuple[float, ...] = option((), "X", "what to repeat; without, all")
    voice: str | None = None

    presets = {"small": {"delay": 5}, "loud": {}}


def test_a_task_in_the_registry_has_its_options(capsys, monkeypatch):
    monkeypatch.setitem(TASKS, "echo", Echo)
    said = described(capsys, "train")
    assert said["delay"] == (
        "echo: steps until a number is asked for (default: 5)"
    )
    assert said["pitches"] == "echo: what to repeat; without, all"
    assert "voice" not in said
    # Equal texts are one, others stand beside it.
    assert said["batch_size"].startswith("sequences in a batch (default: ")
    assert stated(said["batch_size"], "echo") == "8"
    assert said["units"].endswith("; echo: hidden units (default: 16)")
    assert stated(said["units"], "language") == "384"
    assert "loud for echo" in said["preset"]

    given = options.given(
        commands.parser().parse_args(
            "train echo --out o --delay 7 --pitches 1 2.5".split()
        )
    )
    assert given == {"delay": 7, "pitches": (1.0, 2.5)}
    task = Settings.of("echo", given).make_task()
    assert (task.delay, task.pitches, task.batch_size) == (7, (1.0, 2.5), 8)


def test_files_are_the_same_from_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = "train language --out o --text a b/c --data ../d.csv"
    assert options.given(commands.parser().parse_args(line.split())) == {
        "text": (str(tmp_path / "a"), str(tmp_path / "b" / "c")),
        "data": str(tmp_path.parent / "d.csv"),
    }


@pytest.mark.parametrize(
    ("name", "hint", "message"),
    [
        ("loud", bool, "`loud` of the task 'echo' must be an int, float or"),
        ("loud", int | str, "`loud` of the task 'echo' must be an int, float"),
        ("width", int, "`width` must have one type and metavar in all tasks"),
    ],
)
def test_what_the_command_line_cannot_tell_is_refused(
    monkeypatch, name, hint, message
):
    field = (name, hint, option(1, "X", "how loud"))
    task = dataclasses.make_dataclass(
        "Echo", [field], bases=(Adding,), frozen=True
    )
    monkeypatch.setitem(TASKS, "echo", task)
    with pytest.raises(TypeError, match=message):
        options.task_options()
