import json
import os

import pytest

from keras_moduli.experiments.runs import folders
from keras_moduli.version import __version__


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_folder_holds_its_settings(tmp_path):
    folder = tmp_path / "deep" / "run"
    folders.check_new(folder)
    folders.create(folder, {"units": 3})
    assert names(folder) == ["settings.json"]
    assert folders.load(folder) == {"units": 3}
    assert names(folder.parent) == ["run"]


def test_an_empty_folder_is_used_as_it_is(tmp_path):
    inode = tmp_path.stat().st_ino
    folders.check_new(tmp_path)
    folders.create(tmp_path, {})
    assert tmp_path.stat().st_ino == inode


def test_a_run_is_only_replaced_when_asked(tmp_path):
    folder = tmp_path / "run"
    folders.create(folder, {"units": 3})
    (folder / "model.keras").write_text("precious")
    with pytest.raises(ValueError, match="--overwrite"):
        folders.check_new(folder)
    assert (folder / "model.keras").read_text() == "precious"
    folders.check_new(folder, overwrite=True)
    folders.create(folder, {"units": 4})
    assert names(folder) == ["settings.json"]
    assert folders.load(folder) == {"units": 4}
    assert names(tmp_path) == ["run"]


def test_other_peoples_files_are_never_touched(tmp_path):
    (tmp_path / "thesis.tex").write_text("words")
    with pytest.raises(ValueError, match="no run of keras-moduli"):
        folders.check_new(tmp_path, overwrite=True)
    with pytest.raises(ValueError, match="a file stands there"):
        folders.check_new(tmp_path / "thesis.tex", overwrite=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_must_be_writable(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ValueError, match="writable"):
        folders.check_new(tmp_path / "run")


@pytest.mark.parametrize(
    "content", [None, "", "{", "[]", '"text"', '{"settings": 1}']
)
def test_a_folder_without_settings_is_no_run(tmp_path, content):
    if content is not None:
        (tmp_path / "settings.json").write_text(content)
    with pytest.raises(ValueError, match="no folder of keras-moduli"):
        folders.load(tmp_path)


def written(folder, **marks):
    """A folder that another version made."""
    folders.create(folder, {"units": 3})
    file = folder / "settings.json"
    document = json.loads(file.read_text())
    assert document["keras_moduli"] == __version__
    assert document["format"] == folders.FORMAT
    del document["format"]
    file.write_text(json.dumps({**document, **marks}))
    return folder


def test_another_version_of_the_same_format_goes_on(tmp_path):
    folder = written(tmp_path, keras_moduli="0.0.0a1")
    assert folders.load(folder) == {"units": 3}


def test_a_run_of_another_format_is_read_but_not_resumed(tmp_path):
    folder = written(tmp_path, keras_moduli="7.0", format=99)
    with pytest.raises(ValueError, match="format 99, of keras-moduli 7.0"):
        folders.load(folder)
    assert folders.load(folder, any_format=True) == {"units": 3}


def test_what_killed_processes_left_is_removed(tmp_path):
    folder = tmp_path / "run"
    folders.create(folder, {})
    for left in (
        tmp_path / ".run.abc.tmp" / "run",
        folder / ".model.keras.xyz.tmp" / "model.keras",
        folder / "sparse" / ".curves.json.1.tmp" / "curves.json",
        tmp_path / ".other.abc.tmp" / "other",
    ):
        left.parent.mkdir(parents=True)
        left.write_text("half")
    folders.clean(folder)
    assert names(tmp_path) == [".other.abc.tmp", "run"]
    assert names(folder) == ["settings.json", "sparse"]
    assert names(folder / "sparse") == []
