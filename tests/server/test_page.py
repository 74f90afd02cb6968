"""The page in a real browser: Chromium of the system, driven by Playwright.

Five stories of users, and what each of them may get wrong.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from itertools import pairwise

import pytest

import vanhove
from tests.conftest import STRUCTURES
from tests.server.phonopy_folder import write_phonopy_folder

playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra test-serve")
expect = playwright.expect
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the PATH")

MAGNESIA = (STRUCTURES / "MgO.cif").read_text()
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


DEFAULTS = ("vanhove-phonon", "vanhove-electron")


def _choose(page, *models: str) -> None:
    page.get_by_role("tab", name="One structure").click()
    for more in page.locator("#models details:not([open]) summary").all()[::-1]:
        more.click()
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


def test_mistakes_are_explained_where_the_eyes_are(desktop, tmp_path):
    page = desktop
    _choose(page, *DEFAULTS)
    problem = page.locator("#problem")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(problem).to_have_text("Choose a file, paste a structure or try an example.")
    page.get_by_role("button", name="Predict the example Si", exact=True).click()
    expect(_card(page, "Phonons")).to_be_visible()
    page.get_by_label("or paste its text").fill("no structure\n")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(problem).to_contain_text("a POSCAR has at least 8")
    results = page.locator("#results")
    expect(results).to_contain_text("a POSCAR has at least 8")
    expect(_card(page, "Phonons")).to_have_count(0)  # what was there would be taken for the answer
    (tmp_path / "<img src=x onerror=alert(1)>.cif").write_text("data_x\n")
    page.locator("#file").set_input_files(tmp_path / "<img src=x onerror=alert(1)>.cif")
    expect(problem).to_contain_text("<img src=x onerror=alert(1)>.cif: holds no structure")
    (tmp_path / "large.cif").write_text("#" * 600_000)
    page.locator("#file").set_input_files(tmp_path / "large.cif")
    expect(problem).to_contain_text("larger than 0.5 MB")
    _choose(page)
    page.get_by_role("button", name="Predict the example Si", exact=True).click()
    expect(problem).to_have_text("Choose at least one model.")


def test_predict_a_pasted_cif(open_page):
    page = open_page[0](color_scheme="light", viewport={"width": 1280, "height": 900})
    checked = [
        box.get_attribute("value") for box in page.locator("input[name=model]:checked").all()
    ]
    assert tuple(checked) == DEFAULTS
    page.get_by_label("or paste its text").fill((STRUCTURES / "MgO.cif").read_text())
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("#status")).to_contain_text(": 2 predictions")
    structure, phonons = _card(page, "Structure"), _card(page, "Phonons")
    expect(structure).to_contain_text("Fm-3m (No. 225)")
    for card in (phonons, _card(page, "Electrons")):
        expect(card.locator(".main-svg").first).to_be_visible()
        expect(card.locator(".xaxislayer-above, .x2axislayer-above").first).to_be_visible()
    expect(phonons).to_contain_text("like what it was trained on")
    expect(_card(page, "Electrons")).to_contain_text("band gap, eV")
    picture = phonons.get_by_role("img", name="Phonons: bands along")
    expect(picture).to_have_accessible_name(re.compile("highest peak at [0-9]+ 1/cm"))

    magnesium = phonons.get_by_role("button", name="Mg", exact=True)
    lines = phonons.locator(".scatterlayer .js-line")
    n_lines = lines.count()
    magnesium.click()
    expect(magnesium).to_have_attribute("aria-pressed", "false")
    expect(lines).to_have_count(n_lines - 1)
    phonons.get_by_label("Unit").select_option("THz")
    expect(phonons.locator(".ytitle")).to_have_text("Frequency, THz")

    card = phonons.get_by_role("button", name="How well vanhove-phonon does")
    card.click()
    expect(page.get_by_role("dialog")).to_contain_text("Do not use it for")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    _check_vibrations(page, phonons)
    _check_downloads(page)

    link = page.url
    assert "#result=" in link
    other = open_page[0](viewport={"width": 1280, "height": 900})
    other.goto(link)
    other.reload()
    expect(_card(other, "Structure")).to_contain_text("Fm-3m (No. 225)")


def _check_axes(card) -> None:
    """Labels beside each other, titles inside the picture."""
    labels = [tick.bounding_box() for tick in card.locator(".xtick text").all()]
    labels = sorted((box for box in labels if box and box["width"]), key=lambda box: box["x"])
    assert all(a["x"] + a["width"] < b["x"] + 1 for a, b in pairwise(labels))
    assert all(box["height"] < 25 for box in labels)
    picture = card.locator(".main-svg").first.bounding_box()
    title = card.locator(".x2title").bounding_box()
    assert picture["x"] <= title["x"]
    assert title["x"] + title["width"] <= picture["x"] + picture["width"]


def _check_vibrations(page, phonons) -> None:
    phonons.get_by_role("button", name="Show the vibration").click()
    moving = _card(page, "Vibration").locator("canvas")
    before = moving.screenshot()
    page.wait_for_timeout(300)
    assert moving.screenshot() != before
    _card(page, "Vibration").get_by_role("button", name="Pause").click()
    standing = moving.screenshot()
    moving.focus()
    page.keyboard.press("ArrowLeft")
    assert moving.screenshot() != standing
    _card(page, "Vibration").get_by_role("button", name="Close").click()
    plot = phonons.locator(".nsewdrag").first.bounding_box()
    at = plot["x"] + 3, plot["y"] + plot["height"] - 12  # acoustic modes at Gamma
    page.mouse.move(at[0] + 1, at[1])
    page.wait_for_timeout(500)  # plotly looks at most every 50 ms where the pointer is
    page.mouse.move(*at)
    page.wait_for_timeout(500)
    page.mouse.click(*at)
    expect(_card(page, "Vibration")).to_contain_text("at Γ")


def _check_downloads(page) -> None:
    structure, phonons = _card(page, "Structure"), _card(page, "Phonons")
    answer = json.loads(_download(page, structure.get_by_role("button", name="All as JSON")))
    assert answer["structure"]["formula"] == "MgO"
    assert _download(page, phonons.get_by_role("button", name="PNG")).startswith(b"\x89PNG")
    assert b"<svg" in _download(page, phonons.get_by_role("button", name="SVG"))[:200]
    bands = _download(page, phonons.get_by_role("link", name="bands.csv"))
    assert bands.startswith(b"distance_per_angstrom")
    thermal = _card(page, "Thermodynamics")
    csv = _download(page, thermal.get_by_role("button", name="CSV")).decode()
    assert csv.startswith("temperature_K,heat_capacity_J_per_K_mol_atoms")
    thermal.get_by_text("Table of 0 to 1000 K").click()
    expect(thermal.get_by_role("row")).to_have_count(52)


def test_compare_with_dft_from_a_phonopy_folder(desktop, tmp_path):
    page = desktop
    _choose(page, "vanhove-phonon")
    page.locator("#file").set_input_files(STRUCTURES / "Si.cif")
    expect(page.locator("#status")).to_have_text("Si.cif: 1 prediction")
    files = write_phonopy_folder(STRUCTURES / "Si.cif", tmp_path / "dft", "vanhove-phonon-fast")
    card = _card(page, "Phonons")
    upload = card.locator("input[type=file]")
    upload.set_input_files(files)
    expect(card).to_contain_text(
        re.compile(r"Drawn dashed: 3 files\. Bands differ by [0-9.]+ 1/cm")
    )
    expect(card.get_by_role("button", name="3 files (dashed)")).to_be_visible()
    expect(card.locator(".xtick")).to_have_text(["Γ", "X"])  # the path of the calculation
    card.get_by_role("button", name="Remove it").click()
    expect(card.get_by_role("button", name="3 files (dashed)")).to_have_count(0)

    (tmp_path / "wrong.csv").write_text("a,b\n1,2\n")
    upload.set_input_files(tmp_path / "wrong.csv")
    expect(card.get_by_role("alert")).to_contain_text("needs the columns frequency_cm1")
    spectra = [vanhove.predict(STRUCTURES / f"{name}.cif").to_dict() for name in ("MgO", "NaCl")]
    (tmp_path / "all.json").write_text(json.dumps({"results": spectra}))
    upload.set_input_files(tmp_path / "all.json")
    card.get_by_label("Entry of all.json").select_option("NaCl.cif")
    card.get_by_role("button", name="Take this one").click()
    expect(card).to_contain_text("Drawn dashed: all.json")

    _card(page, "Structure").get_by_role("button", name="Keep to compare").click()
    page.get_by_role("button", name="Predict the example MgO").click()
    expect(_card(page, "Phonons").locator("thead")).to_contain_text(re.compile("MgO.*Si"))
    page.get_by_role("button", name="Do not compare").click()
    expect(_card(page, "Phonons").locator("thead")).not_to_contain_text("Si")


def test_two_models_of_one_property(desktop):
    page = desktop
    _choose(page, "dostransformer-phonon", "pair", "dostransformer-electron", "bandformer-electron")
    page.get_by_role("button", name="Predict the example Si", exact=True).click()
    expect(page.locator("#status")).to_have_text("Si.cif: 4 predictions")
    expect(_card(page, "Phonons").locator("thead")).to_contain_text("dostransformer-phonon")
    expect(_card(page, "Phonons").locator("thead")).to_contain_text("pair")
    expect(_card(page, "Electrons").locator(".main-svg").first).to_be_visible()
    expect(_card(page, "Electron density of states").locator(".main-svg").first).to_be_visible()


def test_a_batch_of_twenty_with_two_bad_files(desktop, tmp_path):
    page = desktop
    page.get_by_role("tab", name="One structure").focus()
    page.keyboard.press("ArrowRight")
    good = sorted(STRUCTURES.glob("*.cif"))[:9]
    files = [tmp_path / f"{copy}-{path.name}" for copy in "ab" for path in good]
    for path in files:
        path.write_bytes((STRUCTURES / path.name[2:]).read_bytes())
    bad = [tmp_path / "broken.cif", tmp_path / "empty.cif"]
    bad[0].write_text("data_x\n_cell_length_a 4\n")
    bad[1].write_text("")
    page.locator("#batch-files").set_input_files([*files, *bad])
    expect(page.get_by_label("Model", exact=True)).to_have_value("vanhove-phonon")
    page.get_by_role("button", name="Start").click()
    status = page.locator("#batch-status")
    expect(status).to_have_text("Done: 20 of 20 files, 18 structures predicted, 2 failed")
    table = page.locator("#batch-scroll")
    expect(table.locator("td.failed")).to_have_count(2)
    expect(table.locator("svg.spark")).to_have_count(18)

    def column(name):
        heads = table.locator("thead th").all_inner_texts()
        at = next(i for i, head in enumerate(heads) if head.startswith(name))
        rows = table.locator("tbody tr:not(:has(.failed))").all()
        return [row.locator("th, td").nth(at).inner_text() for row in rows]

    table.get_by_role("button", name=re.compile("^mean frequency")).click()
    values = [float(text) for text in column("mean frequency")]
    assert values == sorted(values)
    table.get_by_role("button", name=re.compile("^mean frequency")).click()
    assert [float(text) for text in column("mean frequency")] == sorted(values, reverse=True)
    expect(table.locator("[aria-sort=descending]")).to_have_count(1)
    page.get_by_label("Filter").fill("hexagonal")
    expect(page.locator("#batch-shown")).to_contain_text("of 20 shown")
    assert set(column("formula")) == {"AlN", "ZnO"} & set(column("formula")) != set()
    page.get_by_label("Filter").fill("")
    csv = _download(page, page.get_by_role("button", name="Download CSV")).decode()
    assert len(csv.splitlines()) == 21
    content = json.loads(_download(page, page.get_by_role("button", name="Download JSON")))
    assert content["columns"]["mean_frequency"] == "1/cm"
    table.get_by_role("button", name="Open a-MgO.cif").click()
    expect(page.locator("#status")).to_contain_text("a-MgO.cif")

    page.get_by_role("tab", name="Many structures").click()
    page.get_by_label("Model", exact=True).select_option("vanhove-electron")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Cancel").click()
    expect(status).to_have_text(re.compile("^Cancelled: "))


def test_search_and_open_a_formula(desktop):
    page = desktop
    _choose(page, *DEFAULTS)
    query = page.get_by_role("searchbox", name="or find one of")
    query.fill("no formula")
    query.press("Enter")
    expect(page.locator("#hits [role=alert]")).to_contain_text("give a formula")
    query.fill("GaAs")
    query.press("Enter")
    page.locator("#hits").get_by_role("button", name=re.compile("GaAs · 2 atoms · mp-2534")).click()
    expect(page.locator("#status")).to_have_text("mp-2534.cif: 2 predictions")
    expect(_card(page, "Structure")).to_contain_text("F-43m")


def test_polyhedra_one_element_and_files_of_several(desktop, tmp_path):
    page = desktop
    _choose(page, *DEFAULTS)
    page.get_by_role("button", name="Predict the example SrTiO3", exact=True).click()
    expect(page.locator("#status")).to_contain_text("SrTiO3.cif: 2 predictions")
    structure = _card(page, "Structure")
    expect(structure.get_by_role("button", name="Sr polyhedra")).to_be_visible()
    titanium = structure.get_by_role("button", name="Ti polyhedra")
    before = structure.locator("canvas").screenshot()
    titanium.click()
    expect(titanium).to_have_attribute("aria-pressed", "true")
    assert structure.locator("canvas").screenshot() != before
    titanium.click()
    assert structure.locator("canvas").screenshot() == before
    electrons = _card(page, "Electrons")  # an insulator: its gap first, nothing of a Fermi level
    names = electrons.locator("tbody th").all_inner_texts()
    assert names[:2] == ["metal?", "band gap, eV"]
    assert not any("Sommerfeld" in name for name in names)

    page.get_by_role("button", name="Predict the example Si", exact=True).click()
    expect(page.locator("#status")).to_have_text("Si.cif: 2 predictions")
    shown = _card(page, "Electrons").get_by_role("group", name="Shown in the plot")
    expect(shown.get_by_role("button")).to_have_text(["bands", "density"])
    expect(_card(page, "Structure").get_by_role("group", name="Polyhedra")).to_have_count(0)

    several = tmp_path / "several.cif"
    several.write_text(f"{STRUCTURES.joinpath('NaCl.cif').read_text()}\n{MAGNESIA}")
    page.locator("#file").set_input_files(several)
    expect(page.locator("#problem")).to_have_text("several.cif: holds 2 structures.")
    page.get_by_role("button", name="Predict all of them").click()
    expect(page.locator("#batch-status")).to_contain_text("2 structures predicted")
    page.get_by_role("tab", name="One structure").click()


@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_everybody_can_use_it(open_page, desktop, device):
    """Light on a desktop, dark on a phone."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs test-serve")
    page, width = desktop, 1280
    if device == "phone":
        width = 390
        page = open_page[0](color_scheme="dark", viewport={"width": width, "height": 844})
    _choose(page, *DEFAULTS, "dostransformer-electron")
    page.get_by_role("button", name="Predict the example SrTiO3", exact=True).click()
    expect(page.locator("#status")).to_have_text("SrTiO3.cif: 3 predictions")
    page.get_by_role("button", name="Show the vibration").click()
    expect(_card(page, "Vibration").locator("canvas")).to_be_visible()
    page.get_by_text("Table of 0 to 1000 K").click()
    for family in ("Phonons", "Electrons"):
        _check_axes(_card(page, family))
    if device == "phone":
        expect(_card(page, "Structure")).to_be_visible()
        page.get_by_role("tab", name="Many structures").click()
        page.get_by_role("button", name="Take the examples").click()
        page.get_by_role("button", name="Start").click()
        expect(page.locator("#batch-status")).to_contain_text("Done: 10 of 10")
    for tab in ("One structure", "Many structures", "About"):
        page.get_by_role("tab", name=tab).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = axe.Axe().run(page).response["violations"]
        assert [
            (item["id"], [node["html"][:200] for node in item["nodes"]])
            for item in found
            if item["impact"] in ("serious", "critical")
        ] == []
    page.get_by_role("button", name="Card of vanhove-phonon", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(16, 21, 28)") == (device == "phone")
