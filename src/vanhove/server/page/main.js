// The page: tabs, the form of one structure, and what the server offers.

import { catalog as fetchCatalog, predictFile, predictText } from "./api.js";
import { setUp as setUpBatch } from "./batch.js";
import { byId, dropTarget, element, table, withSubscripts } from "./dom.js";
import { show } from "./results.js";

const PROPERTIES = { "phonon-dos": "Phonon density of states", "electron-dos": "Electron density of states", bands: "Bands" };

let chosenFile = null;
let textName = "";

function setUpTabs() {
  const tabs = [...document.querySelectorAll('[role="tab"]')];
  const select = (tab) => {
    for (const other of tabs) {
      const chosen = other === tab;
      other.setAttribute("aria-selected", String(chosen));
      other.tabIndex = chosen ? 0 : -1;
      byId(other.getAttribute("aria-controls")).hidden = !chosen;
    }
  };
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

function setUpModels(models) {
  const seen = new Set();
  for (const [property, title] of Object.entries(PROPERTIES)) {
    const offered = models.filter((model) => model.property === property);
    if (!offered.length) continue;
    byId("models").append(element("fieldset", {}, element("legend", {}, title), ...offered.map((model) => {
      const checked = !seen.has(property);
      seen.add(property);
      const box = element("input", { type: "checkbox", name: "model", value: model.name, checked });
      const tag = `${model.n_train} crystals${model.has_error_bars ? ", error bars" : ""}`;
      return element("label", {}, box, element("span", {}, model.name, " ", element("span", { class: "tag" }, tag)));
    })));
  }
}

function setUpAbout(catalog) {
  const rows = catalog.models.map((model) => [model.name, PROPERTIES[model.property], model.dataset,
    String(model.n_train), model.has_error_bars ? "yes" : "no", String(model.elements.length)]);
  byId("model-table").append(table(["Model", "Predicts", "Trained on", "Crystals", "Error bars", "Elements"], rows));
  byId("version").textContent =
    `vanhove ${catalog.version}. This server takes at most ${catalog.limits.max_atoms} atoms and ${catalog.limits.max_bytes / 1e6} MB for a structure, and gives up after ${catalog.limits.seconds} s.`;
}

function setUpForm(catalog) {
  byId("file").addEventListener("change", (e) => { if (e.target.files.length) takeFile(e.target.files[0]); });
  dropTarget(byId("drop"), ([file]) => takeFile(file));
  const fileHelp = byId("file-help").textContent;
  byId("text").addEventListener("input", () => { takeText(""); });
  byId("ask").addEventListener("submit", (e) => { e.preventDefault(); predict(catalog.limits); });
  for (const example of catalog.examples) {
    byId("examples").append(element("button", {
      type: "button",
      "aria-label": `Predict the example ${example.name}`,
      onclick: () => {
        takeText(example.file_name);
        byId("text").value = example.text;
        predict(catalog.limits);
      },
    }, withSubscripts(example.name)));
  }

  function takeText(name) {
    chosenFile = null;
    textName = name;
    byId("file-help").textContent = fileHelp;
  }

  function takeFile(file) {
    chosenFile = file;
    byId("file-help").textContent = file.name;
    byId("text").value = "";
    predict(catalog.limits);
  }
}

async function predict(limits) {
  const status = byId("status");
  const problem = byId("problem");
  const models = [...document.querySelectorAll('input[name="model"]:checked')].map((box) => box.value);
  const text = byId("text").value;
  problem.textContent = "";
  status.textContent = "";
  if (!chosenFile && !text.trim()) return fail("Choose a file, paste a structure or try an example.");
  if (!models.length) return fail("Choose at least one model.");
  if ((chosenFile?.size ?? text.length) > limits.max_bytes) {
    return fail(`The structure is larger than ${limits.max_bytes / 1e6} MB, which this server takes.`);
  }
  setBusy(true);
  status.textContent = "Predicting …";
  try {
    const answer = chosenFile ? await predictFile(chosenFile, models) : await predictText(text, textName, models);
    show(answer);
    const { name } = answer.structure;
    status.textContent = `${name}: ${answer.predictions.length} ${answer.predictions.length === 1 ? "prediction" : "predictions"}`;
    if (matchMedia("(max-width: 760px)").matches) byId("results").scrollIntoView();
  } catch (error) {
    fail(error.message);
  }
  byId("file").value = "";
  setBusy(false);

  function fail(reason) {
    status.textContent = "";
    problem.textContent = reason;
  }
}

function setBusy(busy) {
  for (const button of byId("ask").querySelectorAll("button")) button.disabled = busy;
}

setUpTabs();
try {
  const catalog = await fetchCatalog();
  setUpModels(catalog.models);
  setUpForm(catalog);
  setUpAbout(catalog);
  setUpBatch(catalog);
} catch (error) {
  byId("problem").textContent = error.message;
}
