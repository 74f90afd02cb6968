"""A command killed at any of its writes and started again ends in the files of a whole run.

`scripts/measure_crashes.py` tries every command and, for most of them, every write.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vanhove.atomic import clean, replacing, temporary, write_text
from vanhove.errors import OutputError


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(("command", "every"), [("train", 11), ("label", 5)])
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


def test_clean_takes_away_what_a_kill_left(tmp_path):
    (tmp_path / "inner").mkdir()
    for place in (tmp_path, tmp_path / "inner"):
        temporary(place / "a.txt").write_text("half")
        (place / "a.part").write_text("a file of the user")
    clean(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["a.part"] * 2
