"""The site shows files of the repository's root as well, under the paths that pages link to.

Pages link as they do on GitHub (``../CONTRIBUTING.md`` from ``docs/``, ``docs/data.md`` from the
root). On the site all of them lie beside each other.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
SHOWN = ["CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff", "LICENSE", "DATA_LICENSES.md"]
SHOWN += [str(path.relative_to(ROOT)) for path in sorted((ROOT / "examples").glob("*.py"))]


def on_files(files, config):
    for path in SHOWN:
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown, page, config, files):
    if "/" in page.file.src_uri and page.file.src_uri not in SHOWN:
        return markdown  # of a folder in docs: it links to docs alone
    below = "docs/" if page.file.src_uri in SHOWN else "../"
    return re.sub(rf"\]\({re.escape(below)}", "](", markdown)
