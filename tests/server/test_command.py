"""``vanhove serve``, started and stopped as a user does."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest


def vanhove(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "vanhove", "serve", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_says_where_it_is_and_ends_with_its_workers():
    with vanhove("--port", "0") as process:
        try:
            line = process.stdout.readline()
            address = re.match(r"http://127\.0\.0\.1:\d+", line).group()
            assert b"<title>vanhove</title>" in urllib.request.urlopen(address, timeout=20).read()
            children = _children(process.pid)
            assert children
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert "Traceback" not in errors
    for _ in range(100):
        if not any(Path(f"/proc/{pid}").exists() for pid in children):
            return
        time.sleep(0.1)
    pytest.fail("processes of the server are left")


def _children(pid: int) -> list[str]:
    """Of Linux; elsewhere nothing is checked."""
    tasks = Path(f"/proc/{pid}/task")
    if not tasks.exists():
        pytest.skip("needs /proc")
    return " ".join(path.read_text() for path in tasks.glob("*/children")).split()


def test_a_taken_port_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with vanhove("--port", port) as process:
            _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert re.fullmatch(r"vanhove: cannot listen at 127\.0\.0\.1, port \d+: .*\n", errors)
