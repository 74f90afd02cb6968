"""Pictures of docs/walk.md: the page of `vanhove serve` in a real browser, along five stories.

    python scripts/walk.py docs/figures

Needs the extra test-serve, and Chromium on the PATH.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

import vanhove

STRUCTURES = Path(__file__).parents[1] / "examples" / "structures"
PATIENCE = 90_000
"""Milliseconds."""
COLOURS = 128
"""Of a picture: flat ones need few, and the file stays small."""


@contextmanager
def server() -> Iterator[str]:
    """The address of a server of its own."""
    command = [sys.executable, "-m", "vanhove", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.match(r"http://[\d.:]+", process.stdout.readline())
        assert found is not None
        try:
            yield found[0]
        finally:
            process.terminate()


def phonopy_folder(folder: Path) -> list[Path]:
    """What a calculation with phonopy leaves; here by another model, `vanhove-phonon-fast`."""
    phonopy = vanhove.phonons(STRUCTURES / "NaCl.cif", "vanhove-phonon-fast", primitive=True)
    calculated = phonopy.to_phonopy(6.0)
    calculated.save(folder / "phonopy.yaml")
    corners = np.array([[0, 0, 0], [0.5, 0, 0.5], [0.5, 0.25, 0.75], [0.5, 0.5, 0.5], [0, 0, 0]])
    stretches = [np.linspace(*ends, 31) for ends in pairwise(corners)]
    labels = ["$\\Gamma$", "X", "W", "L", "$\\Gamma$"]
    calculated.run_band_structure(stretches, labels=labels, path_connections=[True] * 3 + [False])
    calculated.write_yaml_band_structure(filename=str(folder / "band.yaml"))
    calculated.run_mesh(30.0)
    calculated.run_total_dos(sigma=0.15)
    calculated.write_total_dos(filename=str(folder / "total_dos.dat"))
    return sorted(folder.iterdir())


def save(content: bytes, path: Path) -> None:
    """A picture in few colours."""
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def done(page: Page, text: str) -> None:
    expect(page.locator("#status")).to_contain_text(text)
    page.wait_for_timeout(800)  # plotly draws


def walk(browser: Any, address: str, out: Path, scratch: Path) -> None:
    """All pictures, into a folder."""
    desktop = {"width": 1180, "height": 1000}
    page = browser.new_context(viewport=desktop, color_scheme="light").new_page()
    page.goto(address)
    page.get_by_label("or paste its text").fill((STRUCTURES / "SrTiO3.cif").read_text())
    page.get_by_role("button", name="Predict", exact=True).click()
    done(page, "2 predictions")
    page.get_by_role("button", name="Ti polyhedra").click()
    save(page.screenshot(), out / "walk-predict.png")
    phonons = page.get_by_role("region", name="Phonons", exact=True)
    phonons.get_by_label("mode").select_option("14")
    phonons.get_by_role("button", name="Show the vibration").click()
    page.wait_for_timeout(900)
    page.locator(".mode").scroll_into_view_if_needed()
    save(page.screenshot(), out / "walk-vibration.png")

    page.locator("#file").set_input_files(STRUCTURES / "NaCl.cif")
    done(page, "NaCl.cif: 2 predictions")
    phonons.locator("input[type=file]").set_input_files(phonopy_folder(scratch))
    expect(phonons).to_contain_text("Drawn dashed")
    page.wait_for_timeout(800)
    phonons.scroll_into_view_if_needed()
    save(phonons.screenshot(), out / "walk-compare.png")

    page.get_by_role("tab", name="Many structures").click()
    good = sorted(STRUCTURES.glob("*.cif"))[:9]
    files = [scratch / f"{copy}-{path.name}" for copy in "ab" for path in good]
    for path in files:
        shutil.copy(STRUCTURES / path.name[2:], path)
    bad = [scratch / "broken.cif", scratch / "empty.cif"]
    bad[0].write_text("data_x\n_cell_length_a 4\n")
    bad[1].write_text("")
    page.locator("#batch-files").set_input_files([*bad, *files])
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#batch-status")).to_contain_text("Done: 20 of 20")
    save(page.screenshot(), out / "walk-batch.png")

    page.get_by_role("tab", name="One structure").click()
    page.get_by_role("searchbox", name="or find one of").fill("Ga-As")
    page.keyboard.press("Enter")
    page.locator("#hits").get_by_role("button", name=re.compile("mp-2534")).click()
    done(page, "mp-2534.cif: 2 predictions")
    page.locator("#results").evaluate("results => window.scrollTo(0, 0)")
    page.wait_for_timeout(300)
    save(page.screenshot(), out / "walk-search.png")

    size = {"width": 390, "height": 844}
    phone = browser.new_context(viewport=size, color_scheme="dark", has_touch=True).new_page()
    phone.goto(page.url)
    phone.reload()
    expect(phone.get_by_role("region", name="Electrons", exact=True)).to_be_visible()
    phonons = phone.get_by_role("region", name="Phonons", exact=True)
    phonons.evaluate("card => card.scrollIntoView()")
    phone.wait_for_timeout(800)
    save(phone.screenshot(), out / "walk-phone.png")


def main(out: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with (
        tempfile.TemporaryDirectory() as scratch,
        server() as address,
        sync_playwright() as driver,
    ):
        expect.set_options(timeout=PATIENCE)
        arguments = ["--no-sandbox", "--disable-gpu"]
        browser = driver.chromium.launch(executable_path=chromium, args=arguments)
        walk(browser, address, out, Path(scratch))
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/figures"))
