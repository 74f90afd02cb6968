// What a prediction shows: the structure, a card for each quantity, tables, downloads.

import { readReference } from "./api.js";
import { bandsFigure, draw, forget, savePng, spectrumFigure, thermalFigure } from "./charts.js";
import { byId, element, fileStem, number, save, spaceGroup, table, unitOf, withSubscripts, words } from "./dom.js";
import { drawStructure } from "./viewer.js";

const OF_STRUCTURE = ["formula", "n_atoms", "elements", "n_elements", "crystal_system", "space_group_number", "space_group_symbol", "volume_per_atom", "density"];
const STRANGE = 0.05;

export function show(answer) {
  const results = byId("results");
  forget(results);
  const groups = new Map();
  for (const prediction of answer.predictions) {
    const key = `${prediction.quantity} ${prediction.normalisation}`;
    groups.set(key, [...(groups.get(key) ?? []), prediction]);
  }
  const stem = fileStem(answer.structure.name);
  const cards = [...groups.values()].map((predictions) => quantityCard(predictions, stem));
  const thermal = answer.predictions.filter((prediction) => prediction.thermal);
  if (thermal.length) cards.splice(1, 0, thermalCard(thermal, stem));
  results.replaceChildren(structureCard(answer, stem), ...problems(answer), ...cards);
  for (const box of results.querySelectorAll(".figure")) draw(box);
}

const button = (label, action) => element("button", { type: "button", onclick: action }, label);

function structureCard(answer, stem) {
  const { structure } = answer;
  const of = Object.fromEntries(answer.predictions[0].properties.map((item) => [item.name, item]));
  const rows = [
    ["Formula", withSubscripts(structure.formula)],
    ["Crystal system", structure.crystal_system],
    ["Space group", `${spaceGroup(structure.space_group_symbol)} (No. ${structure.space_group_number})`],
    ["Atoms", `${structure.symbols.length} given, ${structure.n_atoms_primitive} in the primitive cell`],
    ["Volume per atom", `${number(of.volume_per_atom.value)} ${unitOf(of.volume_per_atom.unit)}`],
    ["Density", `${number(of.density.value)} ${unitOf(of.density.unit)}`],
  ];
  const facts = element("table", {}, element("caption", {}, structure.name), element("tbody", {},
    ...rows.map(([name, value]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value)))));
  return element("section", { class: "card wide", "aria-label": "Structure" },
    element("h2", {}, `Structure of ${withSubscripts(structure.formula)}`),
    element("div", { class: "structure" }, drawStructure(structure),
      element("div", {}, facts, element("div", { class: "row downloads" },
        button("Download CIF", () => save(structure.cif, `${stem}.cif`, "chemical/x-cif")),
        button("CIF of the primitive cell", () => save(structure.cif_primitive, `${stem}-primitive.cif`, "chemical/x-cif")),
        button("Download all as JSON", () => save(JSON.stringify(answer, null, 1), `${stem}.json`, "application/json"))))));
}

function problems(answer) {
  if (!answer.problems.length) return [];
  const items = answer.problems.map(({ model, detail }) => element("li", {}, `${model}: ${detail}`));
  return [element("section", { class: "card wide", role: "alert" },
    element("h2", {}, "Not predicted"), element("ul", {}, ...items))];
}

function quantityCard(predictions, stem) {
  const first = predictions[0];
  const title = first.title;
  const kind = first.quantity.replaceAll("_", "-");
  const place = element("div", {});
  let chart = null;
  const setReference = (reference) => {
    forget(place);
    chart = first.spectrum ? spectrumFigure(predictions, reference, title) : bandsFigure(predictions, title);
    place.replaceChildren(chart);
    if (place.isConnected) draw(chart);
  };
  setReference(null);
  const downloads = [
    ...predictions.map((p) => button(predictions.length > 1 ? `CSV of ${p.model}` : "CSV",
      () => save(p.csv, `${stem}-${p.model}-${kind}.csv`, "text/csv"))),
    button("PNG", () => savePng(chart, `${stem}-${kind}.png`)),
  ];
  return element("section", { class: "card", "aria-label": title, "data-quantity": first.quantity },
    element("h2", {}, title), place,
    ...(first.spectrum ? [overlay(predictions, setReference)] : []),
    familiarity(predictions), properties(predictions),
    element("div", { class: "row downloads" }, ...downloads),
    first.spectrum ? numbers(predictions) : null);
}

let overlays = 0;

function overlay(predictions, setReference) {
  const first = predictions[0];
  const id = `reference-${overlays++}`;
  const note = element("span", { class: "note", role: "status" });
  const problem = element("span", { role: "alert" });
  const remove = button("Remove it", () => {
    setReference(null);
    note.textContent = "";
    remove.hidden = true;
    input.value = "";
  });
  remove.hidden = true;
  const input = element("input", { type: "file", id, class: "hidden-input", accept: ".csv,.json,.txt" });
  input.addEventListener("change", async () => {
    if (!input.files.length) return;
    problem.textContent = "";
    try {
      const reference = await readReference(input.files[0], first.normalisation);
      if (reference.unit !== first.unit) {
        throw new Error(`${reference.name} is in ${unitOf(reference.unit)}; this plot is in ${unitOf(first.unit)}`);
      }
      setReference(reference);
      note.textContent = `${reference.name} is drawn dashed`;
      remove.hidden = false;
    } catch (error) {
      problem.textContent = error.message;
    }
  });
  return element("div", { class: "row downloads overlay" },
    element("span", { class: "drop-less" }, element("label", { class: "button", for: id }, "Overlay a reference"), input),
    remove, note, problem);
}

function familiarity(predictions) {
  const lines = predictions.map(({ model, familiarity: score }) => {
    if (score === null) return element("p", { class: "note" }, `${model}: no error bars, no familiarity score.`);
    const strange = score < STRANGE;
    const text = `${model}: familiarity ${number(score, 2)}${strange ? ", like nothing it was trained on: do not trust it" : ""}.`;
    return element("p", { class: strange ? "note warn" : "note" }, text);
  });
  return element("div", {}, ...lines);
}

function properties(predictions) {
  const names = [...new Set(predictions.flatMap((p) => p.properties.map((item) => item.name)))]
    .filter((name) => !OF_STRUCTURE.includes(name));
  const rows = names.map((name) => {
    const items = predictions.map((p) => p.properties.find((item) => item.name === name));
    const known = items.find((item) => item);
    const cells = items.map((item) => {
      if (!item || item.value === null) return "–";
      const bar = item.half_width_90 === null ? "" : `\u00a0±\u00a0${number(item.half_width_90, 2)}`;
      return `${number(item.value)}${bar}`;
    });
    const unit = known.unit ? element("span", { class: "unit" }, `, ${unitOf(known.unit)}`) : "";
    return [element("th", { scope: "row", title: known.description }, words(name), unit), ...cells];
  });
  if (!rows.length) return null;
  const head = ["Property", ...predictions.map((p) => (predictions.length > 1 ? p.model : "Value"))];
  const hasBars = predictions.some((p) => p.properties.some((item) => item.half_width_90 !== null));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Properties" },
    table(head, rows, hasBars ? "± is half of the 90 % interval" : null));
}

function thermalCard(predictions, stem) {
  const charts = {
    heat_capacity: thermalFigure(predictions, "heat_capacity", "Heat capacity at constant volume", "C<sub>V</sub>"),
    entropy: thermalFigure(predictions, "entropy", "Vibrational entropy", "S"),
  };
  const curve = [...predictions[0].thermal.temperature_K.keys()].map((i) => [
    predictions[0].thermal.temperature_K[i],
    ...predictions.flatMap((p) => [p.thermal.heat_capacity[i], p.thermal.entropy[i]]),
  ]);
  const head = ["temperature_K", ...predictions.flatMap((p) =>
    ["heat_capacity", "entropy"].map((name) => `${name}_J_per_K_mol_atoms ${p.model}`))];
  const csv = [head, ...curve].map((row) => row.join(",")).join("\n") + "\n";
  return element("section", { class: "card", "aria-label": "Thermodynamics" },
    element("h2", {}, "Thermodynamics"),
    element("p", { class: "note" }, "Harmonic, at constant volume, from the phonon density of states"),
    charts.heat_capacity, charts.entropy,
    element("div", { class: "row downloads" },
      button("CSV", () => save(csv, `${stem}-thermodynamics.csv`, "text/csv")),
      button("PNG of C_V", () => savePng(charts.heat_capacity, `${stem}-heat-capacity.png`)),
      button("PNG of entropy", () => savePng(charts.entropy, `${stem}-entropy.png`))),
    details("Numbers", head.map((name) => name.replaceAll("_", " ")), curve));
}

function numbers(predictions) {
  const grid = predictions[0].spectrum.grid;
  const head = [unitOf(predictions[0].unit), ...predictions.map((p) => p.model)];
  const same = predictions.filter((p) => p.spectrum.grid.length === grid.length);
  return details("Numbers", head.slice(0, same.length + 1),
    grid.map((x, i) => [x, ...same.map((p) => p.spectrum.values[i])]));
}

// The table is made when it is opened.
function details(title, head, rows) {
  const box = element("details", {}, element("summary", {}, title));
  box.addEventListener("toggle", () => {
    if (box.children.length > 1) return;
    const shown = rows.map((row) => row.map((value) => number(value)));
    box.append(element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, table(head, shown)));
  });
  return box;
}
