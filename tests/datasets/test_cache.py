import gzip
import hashlib
from http.server import BaseHTTPRequestHandler

import pytest

from vanhove.datasets import RemoteFile, cache_folder, data_file
from vanhove.datasets.cache import read_content
from vanhove.errors import DataError

CONTENT = b"id,0,20\nSi,0.5,1\n" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path == "/missing":
            self.send_error(404)
            return
        body = {"/wrong": b"<html>", "/gz": gzip.compress(CONTENT)}.get(self.path, CONTENT)
        self.send_response(200)
        # "/cut" promises more than it sends before the connection closes.
        self.send_header("Content-Length", str(len(body) * (2 if self.path == "/cut" else 1)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def server(serve):
    return serve(Handler)


@pytest.fixture
def local(tmp_path, monkeypatch):
    folder = tmp_path / "local"
    (folder / "set").mkdir(parents=True)
    monkeypatch.setenv("VANHOVE_DATA", str(folder))
    return folder


def source(url="http://127.0.0.1:9/nothing", sha256=SHA256, path="set/data.csv"):
    return RemoteFile(url, sha256, path)


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_downloads_once(server, cache, capsys):
    wanted = source(server.url + "/data")
    path = data_file(wanted)
    assert path == cache / "set/data.csv"
    assert path.read_bytes() == CONTENT
    assert data_file(wanted) == path
    assert server.asked == ["/data"]
    assert files_in(cache) == [path]
    captured = capsys.readouterr()
    assert wanted.url in captured.err
    assert captured.out == ""


def test_downloads_gzip_checked_by_its_content(server):
    path = data_file(source(server.url + "/gz", path="set/data.csv.gz"))
    assert path.read_bytes() != CONTENT
    assert read_content(path) == CONTENT


def test_a_damaged_cache_is_replaced(server, cache):
    (cache / "set").mkdir(parents=True)
    (cache / "set/data.csv").write_bytes(CONTENT[:50])
    assert data_file(source(server.url + "/data")).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("page", "path", "message"),
    [
        ("/wrong", "set/data.csv", f"expected {SHA256}; .*VANHOVE_DATA"),
        ("/wrong", "set/data.csv.gz", f"SHA-256 none .*expected {SHA256}"),
        ("/cut", "set/data.csv", "17000 of 34000 bytes|IncompleteRead"),
        ("/missing", "set/data.csv", "404 Not Found; .*VANHOVE_DATA"),
    ],
)
def test_failed_downloads_leave_nothing(server, cache, page, path, message):
    with pytest.raises(DataError, match=message) as caught:
        data_file(source(server.url + page, path=path))
    assert server.url + page in str(caught.value)
    assert "\n" not in str(caught.value)
    assert files_in(cache) == []


def test_a_failed_download_can_be_repeated(server, cache):
    with pytest.raises(DataError):
        data_file(source(server.url + "/cut"))
    assert data_file(source(server.url + "/data")).read_bytes() == CONTENT


def test_no_network_names_url_and_remedy(server):
    url = server.url
    server.shutdown()
    server.server_close()
    with pytest.raises(DataError, match=r"cannot download.*set VANHOVE_DATA") as caught:
        data_file(source(url + "/data"))
    assert url in str(caught.value)


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VANHOVE_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="set VANHOVE_CACHE"):
        data_file(source())


def test_local_copy_first(local, cache):
    (local / "set/data.csv").write_bytes(CONTENT)
    assert data_file(source()) == local / "set/data.csv"
    assert not cache.exists()


def test_local_gzip_copy(local):
    (local / "set/data.csv.gz").write_bytes(gzip.compress(CONTENT))
    path = data_file(source())
    assert path == local / "set/data.csv.gz"
    assert read_content(path) == CONTENT


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data.csv", b"another"),
        ("data.csv.gz", gzip.compress(b"another", mtime=0)),
        ("data.csv.gz", b"no gzip"),
        ("data.csv.gz", gzip.compress(CONTENT, mtime=0)[:-20]),
    ],
)
def test_a_wrong_local_copy_is_an_error(local, name, content):
    (local / "set" / name).write_bytes(content)
    with pytest.raises(DataError, match=f"expected {SHA256}; replace the file"):
        data_file(source())


def test_a_local_folder_without_the_file_falls_back(local, server, cache):
    assert data_file(source(server.url + "/data")) == cache / "set/data.csv"


def test_a_local_folder_that_is_none(monkeypatch, tmp_path):
    monkeypatch.setenv("VANHOVE_DATA", str(tmp_path / "typo"))
    with pytest.raises(DataError, match=r"typo.*no folder"):
        data_file(source())


def test_default_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("VANHOVE_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "vanhove"
