"""The files of the page. All are read at the start: no request ever opens a file."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files

from vanhove.errors import MissingExtraError

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

PLACE_OF_STYLES = b"<!-- styles of plotly -->"


@dataclass(frozen=True)
class PageFile:
    """A file of the page, as it is sent."""

    content: bytes
    compressed: bytes
    media_type: str
    tag: str

    @classmethod
    def of(cls, name: str, content: bytes) -> PageFile:
        return cls(
            content,
            gzip.compress(content, 6, mtime=0),
            MEDIA_TYPES[name[name.rindex(".") :]],
            f'"{hashlib.sha256(content).hexdigest()[:24]}"',
        )


def page_files() -> dict[str, PageFile]:
    """Name in the address -> file; the start page is ``""``, plotly comes from its own package.

    Raises:
        MissingExtraError: plotly is not installed.
    """
    found = {
        item.name: item.read_bytes()
        for item in files("vanhove.server").joinpath("page").iterdir()
        if item.name[item.name.rfind(".") :] in MEDIA_TYPES
    }
    try:
        plotly = files("plotly").joinpath("package_data").joinpath("plotly.min.js").read_bytes()
    except (ModuleNotFoundError, FileNotFoundError):
        raise MissingExtraError("plotly", "serve", "the page of vanhove serve") from None
    found["plotly.min.js"] = plotly
    # plotly brings a style sheet for maps, which our policy would block with an error in the
    # console, unless an element with its id is there.
    ids = sorted(set(re.findall(rb'getElementById\("([0-9a-f]{64})"\)', plotly)))
    stand_ins = b"".join(b'<meta name="plotly" id="%s">' % id_ for id_ in ids)
    found["index.html"] = found["index.html"].replace(PLACE_OF_STYLES, stand_ins)
    made = {name: PageFile.of(name, content) for name, content in found.items()}
    made[""] = made.pop("index.html")
    return made
