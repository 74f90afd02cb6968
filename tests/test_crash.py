"""A command killed at any of its writes and started again ends in the files of a whole run.

`scripts/measure_crashes.py` tries every command and, for most of them, every write.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vanhove.atomic import clean, held, replacing, temporary, whole_folder, write_text
from vanhove.cli import app, main
from vanhove.errors import ConfigError, OutputError


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(("command", "every"), [("train", 16), ("label", 6)])
def test_killed_and_started_again(command, every):
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash", command, str(every)],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["tried"] >= 2
    assert result["failures"] == [], result["messages"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with contextlib.suppress(RuntimeError), replacing(path) as part:
        part.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_and_loses_nothing(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    temporary(path).symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"a\.txt: cannot be written \(No space left on device\)"):
        write_text(path, "new")
    assert path.read_text() == "old"


def test_a_full_disk_is_a_sentence_wherever_it_is_written_to(monkeypatch, capsys):
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "picture.png")

    monkeypatch.setattr("vanhove.cli.app", full)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said == "vanhove: picture.png: cannot be written (No space left on device)\n"


def test_clean_takes_away_what_a_kill_left(tmp_path):
    (tmp_path / "inner").mkdir()
    for place in (tmp_path, tmp_path / "inner"):
        temporary(place / "a.txt").write_text("half")
        (place / "a.part").write_text("a file of the user")
    clean(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["a.part"] * 2


def test_a_folder_is_held_by_one_and_left_alone_by_a_start_that_fails(tmp_path):
    folder = tmp_path / "runs" / "one"
    with (
        held(folder, "working"),
        pytest.raises(ConfigError, match="another process is working"),
        held(folder, "working"),
    ):
        raise AssertionError("two at once")
    assert not (tmp_path / "runs").exists()
    with contextlib.suppress(RuntimeError), held(folder, "working"):
        raise RuntimeError("no data")
    assert not (tmp_path / "runs").exists()
    with held(folder, "working"):
        write_text(folder / "a.txt", "kept")
    assert (folder / "a.txt").exists()
    (tmp_path / "empty").mkdir()
    with held(tmp_path / "empty", "working"):
        pass
    assert (tmp_path / "empty").exists()


def test_a_folder_is_made_whole_or_not_at_all(tmp_path):
    out = tmp_path / "new" / "data"
    with contextlib.suppress(RuntimeError), whole_folder(out, "importing") as part:
        (part / "half").write_text("half")
        raise RuntimeError
    assert not (tmp_path / "new").exists()
    with whole_folder(out, "importing") as part:
        (part / "a").write_text("whole")
        with (
            pytest.raises(ConfigError, match="another process is importing"),
            whole_folder(out, "importing"),
        ):
            raise AssertionError("two at once")
        assert not out.exists()
    assert [path.name for path in out.parent.rglob("*")] == ["data", "a"]


@pytest.mark.parametrize("name", ["train", "import"])
def test_a_start_that_fails_leaves_no_folder(name, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.cif").write_text("no crystal")
    out = tmp_path / "made" / "out"
    data = str(tmp_path / "data")
    arguments = {
        "train": [
            "train",
            "dostransformer-phonon",
            "--set",
            f"data.dataset={data}",
            "-o",
            str(out),
        ],
        "import": ["data", "import", data, "-o", str(out)],
    }[name]
    assert CliRunner().invoke(app, [*arguments, str(out)]).exit_code == 2
    assert not (tmp_path / "made").exists()
