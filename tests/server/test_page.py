"""The page in a real browser: Chromium of the system, driven by Playwright."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator

import pytest

import vanhove
from tests.conftest import STRUCTURES
from tests.server.conftest import PHONONS

playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra test-serve")
expect = playwright.expect
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the PATH")

SECONDS = 1000
PATIENCE = 60 * SECONDS
"""Plenty: a busy machine takes half a minute to load plotly."""


@pytest.fixture(scope="module")
def open_page(server):
    """A function that opens the page, and what its consoles complain of."""
    complaints: list[object] = []
    expect.set_options(timeout=PATIENCE)
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )

        def open_(**options) -> playwright.Page:
            page = browser.new_context(**options).new_page()
            page.set_default_timeout(PATIENCE)
            page.on("console", lambda line: complaints.append(line) if line.type == "error" else 0)
            page.on("pageerror", lambda error: complaints.append(error))
            outside = re.compile(rf"^(?!{re.escape(server.address)}|data:|blob:)")
            page.route(outside, lambda route: complaints.append(route.request.url))
            page.goto(server.address)
            expect(page.get_by_role("button", name="Predict the example NaCl")).to_be_visible()
            return page

        yield open_, complaints
        browser.close()


@pytest.fixture(scope="module")
def desktop(open_page) -> playwright.Page:
    """One page for all tests, as plotly takes a second to load: each sets what it needs."""
    return open_page[0](color_scheme="light", viewport={"width": 1280, "height": 900})


@pytest.fixture(autouse=True)
def quiet_console(open_page) -> Iterator[None]:
    """Whatever the console complains of fails the test, and so does a request to elsewhere."""
    complaints = open_page[1]
    yield
    # A refused structure is an answer of 422, which the browser itself notes in the console.
    found = [line for line in map(_text, complaints) if "status of 422" not in line]
    complaints.clear()
    assert found == []


def _choose(page, *models: str) -> None:
    page.get_by_role("tab", name="One structure").click()
    for box in page.locator("input[name=model]").all():
        box.set_checked(box.get_attribute("value") in models)


def _text(complaint) -> str:
    return getattr(complaint, "text", None) or str(complaint)


def _download(page, button) -> bytes:
    with page.expect_download() as started:
        button.click()
    return started.value.path().read_bytes()


def _card(page, name):
    return page.get_by_role("region", name=name, exact=True)


def test_mistakes_are_explained(desktop, tmp_path):
    page = desktop
    _choose(page, PHONONS)
    problem = page.locator("#problem")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(problem).to_have_text("Choose a file, paste a structure or try an example.")
    page.get_by_label("or paste its text").fill("no structure\n")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(problem).to_contain_text("a POSCAR has at least 8")
    (tmp_path / "<img src=x onerror=alert(1)>.cif").write_text("data_x\n")
    page.locator("#file").set_input_files(tmp_path / "<img src=x onerror=alert(1)>.cif")
    expect(problem).to_contain_text("<img src=x onerror=alert(1)>.cif: holds no structure")
    (tmp_path / "large.cif").write_text("#" * 600_000)
    page.locator("#file").set_input_files(tmp_path / "large.cif")
    expect(problem).to_contain_text("larger than 0.5 MB")
    _choose(page)
    page.get_by_role("button", name="Predict the example Si", exact=True).click()
    expect(problem).to_have_text("Choose at least one model.")


def test_an_example_and_what_can_be_downloaded(desktop):
    page = desktop
    _choose(page, PHONONS, "dostransformer-electron", "bandformer-electron")
    page.get_by_role("button", name="Predict the example Si", exact=True).click()
    expect(page.locator("#status")).to_have_text("Si.cif: 3 predictions")
    for name in ("Phonon density of states", "Electron density of states", "Electron bands"):
        expect(_card(page, name).locator(".main-svg").first).to_be_visible()
    structure = _card(page, "Structure")
    expect(structure).to_contain_text("Fd-3m (No. 227)")
    expect(_card(page, "Phonon density of states")).to_contain_text("mean frequency, 1/cm")

    picture = structure.locator("canvas")
    before = picture.screenshot()
    picture.focus()
    page.keyboard.press("ArrowLeft")
    assert picture.screenshot() != before

    answer = json.loads(_download(page, structure.get_by_role("button", name="JSON")))
    assert answer["structure"]["formula"] == "Si"
    cif = _download(page, structure.get_by_role("button", name="Download CIF"))
    assert vanhove.crystal.reading.parse_crystals(cif, "Si.cif")[0].formula == "Si"
    phonons = _card(page, "Phonon density of states")
    csv = _download(page, phonons.get_by_role("button", name="CSV")).decode()
    assert vanhove.Spectrum.from_csv(csv).quantity == "phonon_dos"
    png = _download(page, phonons.get_by_role("button", name="PNG"))
    assert png.startswith(b"\x89PNG")
    assert len(png) > 10_000
    for name in ("Electron density of states", "Electron bands"):
        expect(_card(page, name).locator(".legend")).to_contain_text("90 % interval")
        expect(_card(page, name)).to_contain_text(": familiarity ")
    picture = page.get_by_role("img", name="Electron bands along")
    expect(picture).to_have_accessible_name(re.compile(r"the 90 % interval of .* is ± \d+\.\d eV"))
    table = _download(page, _card(page, "Electron bands").get_by_role("button", name="CSV"))
    assert table.startswith(b"distance_per_angstrom")


def test_an_upload_two_models_and_a_reference(desktop, tmp_path):
    page = desktop
    _choose(page, PHONONS, "pair")
    page.locator("#file").set_input_files(STRUCTURES / "MgO.cif")
    expect(page.locator("#status")).to_have_text("MgO.cif: 2 predictions")
    expect(page.locator("#file-help")).to_have_text("MgO.cif")
    card = _card(page, "Phonon density of states")
    expect(card.locator("thead")).to_contain_text(re.compile(f"{PHONONS}.*pair"))
    expect(card).to_contain_text("± is half of the 90 % interval")
    expect(card).to_contain_text("pair: familiarity 0.")
    expect(card.locator(".legend")).to_contain_text("90 % interval")
    expect(card.locator(".legend")).to_contain_text(PHONONS)

    reference = tmp_path / "calculated.csv"
    vanhove.predict(STRUCTURES / "MgO.cif").to_csv(reference)
    upload = card.locator("input[type=file]")
    upload.set_input_files(reference)
    expect(card.locator(".legend")).to_contain_text("calculated.csv")
    expect(card).to_contain_text("calculated.csv is drawn dashed")
    card.get_by_role("button", name="Remove it").click()
    expect(card.locator(".legend")).not_to_contain_text("calculated.csv")
    (tmp_path / "wrong.csv").write_text("a,b\n1,2\n")
    upload.set_input_files(tmp_path / "wrong.csv")
    expect(card.get_by_role("alert")).to_contain_text("needs the columns frequency_cm1")


def test_a_batch_and_its_cancel(desktop, tmp_path):
    page = desktop
    page.get_by_role("tab", name="One structure").focus()
    page.keyboard.press("ArrowRight")
    files = [tmp_path / f"{i:02d}.cif" for i in range(40)]
    for path in files:
        path.write_bytes((STRUCTURES / "SrTiO3.cif").read_bytes())
    page.locator("#batch-files").set_input_files(files)
    page.get_by_label("Model", exact=True).select_option("bandformer-electron")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Cancel").click()
    status = page.locator("#batch-status")
    expect(status).to_have_text(re.compile("^Cancelled: "))
    assert int(re.search(r"(\d+) of 40", status.inner_text())[1]) < 40

    files[0].write_text("broken")
    page.locator("#batch-files").set_input_files([files[0], files[1], STRUCTURES / "Si.cif"])
    page.get_by_label("Model", exact=True).select_option(PHONONS)
    page.get_by_role("button", name="Start").click()
    expect(status).to_have_text("Done: 3 of 3 files, 2 structures predicted, 1 failed")
    expect(page.get_by_role("row", name="Si.cif")).to_contain_text("cubic")
    expect(page.get_by_role("row", name="00.cif")).to_contain_text("is no CIF")
    csv = _download(page, page.get_by_role("button", name="Download CSV")).decode()
    assert len(csv.splitlines()) == 4
    content = json.loads(_download(page, page.get_by_role("button", name="Download JSON")))
    assert content["columns"]["mean_frequency"] == "1/cm"


@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_everybody_can_use_it(open_page, desktop, device):
    """Light on a desktop, dark on a phone."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs test-serve")
    page, width = desktop, 1280
    if device == "phone":
        width = 390
        page = open_page[0](color_scheme="dark", viewport={"width": width, "height": 844})
    _choose(page, PHONONS, "pair", "bandformer-electron")
    page.get_by_role("button", name="Predict the example SrTiO3", exact=True).click()
    expect(page.locator("#status")).to_have_text("SrTiO3.cif: 3 predictions")
    page.get_by_text("Numbers").first.click()
    for tab in ("One structure", "Many structures", "About"):
        page.get_by_role("tab", name=tab).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if device == "phone" and tab != "One structure":
            continue  # the colours are the same
        found = axe.Axe().run(page).response["violations"]
        assert [
            (item["id"], [node["html"][:200] for node in item["nodes"]])
            for item in found
            if item["impact"] in ("serious", "critical")
        ] == []
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(16, 21, 28)") == (device == "phone")
