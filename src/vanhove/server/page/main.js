// The page: tabs, the form of one structure, the search, links to results.

import { catalog as fetchCatalog, predictFile, predictText, result, search, structure } from "./api.js";
import { choose, setUp as setUpBatch } from "./batch.js";
import { showCard } from "./card.js";
import { byId, dropTarget, element, table, withSubscripts } from "./dom.js";
import { clear, setModels, show } from "./results.js";
import { FAMILIES, familyOf } from "./view.js";

let catalog = null;
let chosenFile = null;
let textName = "";
let running = null; // what stops the request that is under way

// Tabs

function select(tab) {
  for (const other of document.querySelectorAll('[role="tab"]')) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    byId(other.getAttribute("aria-controls")).hidden = !chosen;
  }
}

function setUpTabs() {
  const tabs = [...document.querySelectorAll('[role="tab"]')];
  tabs.forEach((tab, i) => {
    tab.addEventListener("click", () => select(tab));
    tab.addEventListener("keydown", (e) => {
      const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: tabs.length - 1 }[e.key];
      if (to === undefined) return;
      e.preventDefault();
      const next = tabs.at(to % tabs.length);
      next.focus();
      select(next);
    });
  });
}

// Models: the default of each family is chosen, the others wait below.

const gives = ({ property, has_error_bars: bars, is_default: whole }) =>
  [whole ? "density and bands" : property === "bands" ? "bands" : "density", ...(bars ? ["error bars"] : [])].join(", ");

function modelBox(model) {
  const box = element("input", { type: "checkbox", name: "model", value: model.name, checked: model.is_default });
  return element("label", {}, box, element("span", {}, model.name, " ",
    element("span", { class: "tag" }, `${model.is_default ? "default: " : ""}${gives(model)}`)));
}

function setUpModels(models) {
  const groups = { ...Object.fromEntries(Object.entries(FAMILIES).map(([key, { title }]) => [key, title])), other: "Other spectra" };
  for (const [family, title] of Object.entries(groups)) {
    const offered = models.filter((model) => (familyOf(model.quantity) ?? "other") === family);
    if (!offered.length) continue;
    const rest = offered.filter((model) => !model.is_default);
    byId("models").append(element("fieldset", {}, element("legend", {}, title),
      ...offered.filter((model) => model.is_default).map(modelBox),
      rest.length ? element("details", {}, element("summary", {}, "Other models, to compare"), ...rest.map(modelBox)) : ""));
  }
}

function setUpAbout() {
  const rows = catalog.models.map((model) => [model.name, gives(model), familyOf(model.quantity) ?? model.quantity, model.dataset,
    String(model.n_train), String(model.elements.length),
    element("button", { type: "button", "aria-label": `Card of ${model.name}`, onclick: () => showCard(model) }, "Card")]);
  byId("model-table").append(table(["Model", "Gives", "Of", "Trained on", "Crystals", "Elements", "Measured"], rows));
  byId("version").textContent =
    `vanhove ${catalog.version}. This server takes at most ${catalog.limits.max_atoms} atoms and ${catalog.limits.max_bytes / 1e6} MB for a structure, and gives up after ${catalog.limits.seconds} s.`;
}

// The form

function take(text, name) {
  chosenFile = null;
  textName = name;
  byId("file-help").textContent = byId("file-help").dataset.text;
  if (name) byId("text").value = text;
}

function takeFiles(files) {
  if (files.length > 1) {
    choose(files);
    select(byId("tab-many"));
    return;
  }
  [chosenFile] = files;
  byId("file-help").textContent = chosenFile.name;
  byId("text").value = "";
  predict();
}

function setUpForm() {
  byId("file-help").dataset.text = byId("file-help").textContent;
  byId("file").addEventListener("change", (e) => { if (e.target.files.length) takeFiles([...e.target.files]); });
  dropTarget(byId("drop"), takeFiles);
  byId("text").addEventListener("input", () => take(byId("text").value, ""));
  byId("ask").addEventListener("submit", (e) => { e.preventDefault(); predict(); });
  byId("stop").addEventListener("click", () => running?.abort());
  for (const example of catalog.examples) {
    byId("examples").append(element("button", {
      type: "button",
      "aria-label": `Predict the example ${example.name}`,
      onclick: () => { take(example.text, example.file_name); predict(); },
    }, withSubscripts(example.name)));
  }
}

const chosenModels = () => [...document.querySelectorAll('input[name="model"]:checked')].map((box) => box.value);

async function predict() {
  const { limits } = catalog;
  const models = chosenModels();
  const text = byId("text").value;
  const fail = (reason) => {
    byId("status").textContent = "";
    byId("problem").textContent = reason;
    byId("file").value = "";
  };
  fail("");
  if (!chosenFile && !text.trim()) return fail("Choose a file, paste a structure or try an example.");
  if (!models.length) return fail("Choose at least one model.");
  clear();
  if ((chosenFile?.size ?? text.length) > limits.max_bytes) {
    const reason = `The structure is larger than ${limits.max_bytes / 1e6} MB, which this server takes.`;
    clear(reason);
    return fail(reason);
  }
  running = new AbortController();
  setBusy(true);
  try {
    const answer = chosenFile ? await predictFile(chosenFile, models, running.signal) : await predictText(text, textName, models, running.signal);
    arrive(answer);
  } catch (error) {
    const several = /holds \d+ structures/.test(error.message);
    const reason = several ? error.message.replace(/; choose:.*/, ".") : error.message;
    clear(reason, ...(several ? [element("button", { type: "button", onclick: () => predictAll(text) }, "Predict all of them")] : []));
    fail(reason);
    history.replaceState(null, "", location.pathname);
  }
  setBusy(false);
  return null;
}

// A file of several structures goes where several are predicted.
function predictAll(text) {
  choose([chosenFile ?? new File([text], textName || "structures")]);
  select(byId("tab-many"));
  byId("batch-ask").requestSubmit();
}

function arrive(answer) {
  show(answer);
  history.replaceState(null, "", `#result=${answer.id}`);
  const { name } = answer.structure;
  byId("status").textContent = `${name}: ${answer.predictions.length} ${answer.predictions.length === 1 ? "prediction" : "predictions"}`;
  byId("file").value = "";
  if (matchMedia("(max-width: 760px)").matches) byId("results").scrollIntoView();
}

let ticking = null;

function setBusy(busy) {
  for (const button of byId("ask").querySelectorAll("button")) button.disabled = busy && button.id !== "stop";
  byId("stop").hidden = !busy;
  clearInterval(ticking);
  if (!busy) return;
  const since = performance.now();
  const tick = () => { byId("status").textContent = `Predicting … ${Math.round((performance.now() - since) / 1000)} s`; };
  tick();
  ticking = setInterval(tick, 1000);
}

// The archive

function setUpSearch() {
  byId("search-label").textContent = `or find one of ${catalog.n_archive.toLocaleString("en")} structures`;
  byId("find").addEventListener("submit", async (e) => {
    e.preventDefault();
    const place = byId("hits");
    try {
      const { n_found: n, hits } = await search(byId("query").value.trim() || " ");
      const more = n > hits.length ? `${n} found, the smallest ${hits.length}:` : n ? `${n} found:` : "Nothing found.";
      place.replaceChildren(element("p", { class: "note", role: "status" }, more), element("div", { class: "chips" },
        ...hits.map((hit) => element("button", { type: "button", onclick: () => open(hit.id) },
          `${withSubscripts(hit.formula)} · ${hit.n_atoms} atoms · ${hit.id}`))));
    } catch (error) {
      place.replaceChildren(element("p", { role: "alert" }, error.message));
    }
  });
}

async function open(id) {
  try {
    const found = await structure(id);
    take(found.text, found.name);
    predict();
  } catch (error) {
    byId("problem").textContent = error.message;
  }
}

// Links

async function followLink() {
  const id = new URLSearchParams(location.hash.slice(1)).get("result");
  if (!id) return;
  try {
    arrive(await result(id));
  } catch (error) {
    clear(error.message);
  }
}

setUpTabs();
try {
  catalog = await fetchCatalog();
  setModels(catalog.models);
  setUpModels(catalog.models);
  setUpForm();
  setUpSearch();
  setUpAbout();
  setUpBatch(catalog, (row) => {
    select(byId("tab-one"));
    take(row.cif, row.name.endsWith(".cif") ? row.name : `${row.name}.cif`);
    predict();
  });
  addEventListener("hashchange", followLink);
  await followLink();
} catch (error) {
  byId("problem").textContent = error.message;
}
