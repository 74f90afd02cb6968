// What a prediction shows: warnings, the structure, phonons, electrons, thermodynamics, files.

import { fileAddress, mode, readReference } from "./api.js";
import { showCard } from "./card.js";
import { curvesFigure, draw, forget, savePicture } from "./charts.js";
import { byId, details, element, fileStem, number, save, spaceGroup, table, unitOf, withSubscripts } from "./dom.js";
import { difference, FAMILIES, familyOf, sideBySide } from "./view.js";
import { drawMode, drawStructure } from "./viewer.js";

const OF_STRUCTURE = ["formula", "n_atoms", "elements", "n_elements", "crystal_system", "space_group_number", "space_group_symbol", "volume_per_atom", "density"];
const STRANGE = 0.05;
const RARE = 0.2;

let models = new Map();
let kept = null; // an answer to compare with

export const setModels = (all) => { models = new Map(all.map((model) => [model.name, model])); };

const button = (label, action) => element("button", { type: "button", onclick: action }, label);

export function clear(reason = null, ...more) {
  const results = byId("results");
  forget(results);
  results.replaceChildren(...(reason ? [element("div", { class: "card empty" },
    element("h2", {}, "Not predicted"), element("p", {}, reason), ...more)] : []));
}

export function show(answer) {
  const results = byId("results");
  clear();
  const stem = fileStem(answer.structure.name);
  const shown = [[answer, false], ...(kept && kept.id !== answer.id ? [[kept, true]] : [])];
  const names = shown.map(([{ structure }]) => structure.name);
  const items = shown.flatMap(([from, old]) => from.predictions.map((prediction) => ({
    prediction,
    answer: from,
    label: shown.length < 2 ? prediction.model
      : `${names[0] === names[1] ? (old ? "kept " : "") : ""}${from.structure.formula}${from.predictions.length > 1 || names[0] === names[1] ? ` · ${prediction.model}` : ""}`,
  })));
  const context = { answer, stem };
  const cards = [];
  const rest = [];
  for (const family of Object.keys(FAMILIES)) {
    const own = items.filter((item) => familyOf(item.prediction.quantity) === family);
    const together = own.filter(({ prediction }) => prediction.bands || prediction.densities.length);
    rest.push(...own.filter((item) => !together.includes(item)));
    if (together.length) cards.push(familyCard(family, together, context));
    const thermal = own.filter(({ prediction }) => prediction.thermal);
    if (thermal.length) cards.push(thermalCard(thermal, context));
  }
  rest.push(...items.filter((item) => !familyOf(item.prediction.quantity)));
  const groups = Map.groupBy ? Map.groupBy(rest, key) : grouped(rest);
  for (const group of groups.values()) cards.push(densityCard(group, context));
  results.replaceChildren(...warnings(answer), structureCard(answer, stem), ...cards);
  for (const box of results.querySelectorAll(".figure")) draw(box);
}

const key = ({ prediction }) => `${prediction.quantity} ${prediction.normalisation}`;

function grouped(items) {
  const groups = new Map();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}

function warnings(answer) {
  const found = [
    ...answer.problems.map(({ model, detail }) => `Not predicted by ${model}: ${detail}`),
    ...new Set(answer.predictions.flatMap((p) => p.warnings.map((text) => `${p.model}: ${text}`))),
  ];
  if (!found.length) return [];
  return [element("section", { class: "card wide warnings", role: "alert" },
    element("h2", {}, "Take care"), element("ul", {}, ...found.map((text) => element("li", {}, text))))];
}

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
        button("CIF", () => save(structure.cif, `${stem}.cif`, "chemical/x-cif")),
        button("CIF of the primitive cell", () => save(structure.cif_primitive, `${stem}-primitive.cif`, "chemical/x-cif")),
        button("All as JSON", () => save(JSON.stringify(answer, null, 1), `${stem}.json`, "application/json"))),
        linkAndKeep(answer))));
}

function linkAndKeep(answer) {
  const status = element("span", { class: "note", role: "status" });
  const copy = button("Copy link", async () => {
    const address = `${location.origin}${location.pathname}#result=${answer.id}`;
    try {
      await navigator.clipboard.writeText(address);
      status.textContent = "Copied. It works while this server keeps the result.";
    } catch {
      status.textContent = address;
    }
  });
  const keep = button("Keep to compare", () => {
    kept = answer;
    show(answer);
    byId("status").textContent = `${answer.structure.name} is kept: the next structure is drawn over it.`;
  });
  const drop = kept ? [element("span", { class: "note" }, `Compared with ${kept.structure.name}. `),
    button("Do not compare", () => { kept = null; show(answer); })] : [];
  return element("div", { class: "row downloads" }, copy, ...(kept?.id === answer.id ? [] : [keep]), ...drop, status);
}

// Phonons or electrons

function familyCard(family, items, context) {
  const { answer, stem } = context;
  const main = items[0];
  const place = element("div", { class: "mode-place" });
  const canMove = family === "phonons" && main.prediction.downloads.includes("phonopy.yaml") && main.answer === answer;
  const view = sideBySide(family, items, canMove ? (point, band) => move(point, band, main, place) : null);
  const title = FAMILIES[family].title;
  return element("section", { class: "card wide", "aria-label": title, "data-family": family },
    element("div", { class: "row head" }, element("h2", {}, title), ...items.map((item) => badge(item)), view.choice ?? ""),
    view.box, view.legend,
    explanation(family, items),
    canMove ? modePicker(main, place) : null, place,
    overlay(family, items, view),
    downloads(view.box, items.filter((item) => item.answer === answer), context, family),
    properties(items));
}

function badge({ label, prediction }) {
  const { model, familiarity: score } = prediction;
  const known = models.get(model);
  const card = known ? button(`How well ${model} does`, () => showCard(known)) : null;
  let mark = null;
  if (score !== null) {
    const [level, text] = score < STRANGE ? ["low", "like nothing it was trained on: do not trust it"]
      : score < RARE ? ["middle", "rather unlike what it was trained on"] : ["high", "like what it was trained on"];
    mark = element("span", { class: `badge ${level}` }, `familiarity ${number(score, 2)}: ${text}`);
  }
  return element("span", { class: "row" }, element("span", { class: "tag" }, label), mark, card);
}

function explanation(family, items) {
  const lines = [];
  const shaded = items.some(({ prediction }) => prediction.densities.some((d) => d.lower_90) || prediction.bands?.lower_90);
  if (shaded) lines.push("Shaded: 90 % of materials like those of validation lie within. A wide band means that the models of the ensemble disagree.");
  if (family === "phonons" && items.some(({ prediction }) => prediction.densities.length > 2)) {
    lines.push("Bands, the density of all modes and the shares of the elements follow from predicted force constants; the density with the interval is that of all modes, broadened, and refined by a network up to 1000 1/cm.");
  }
  if (family === "electrons") lines.push("PBE energies, without spin and spin-orbit coupling: gaps are smaller than measured ones.");
  if (items.length > 1) {
    const paths = new Set(items.filter(({ prediction }) => prediction.bands).map(({ prediction }) => prediction.bands.labels.filter(Boolean).join("-")));
    if (paths.size > 1) lines.push("Bands on different paths are not drawn together: those of the first are shown.");
  }
  return element("p", { class: "note" }, lines.join(" "));
}

async function move(point, band, { prediction, answer }, place) {
  const wait = element("p", { class: "note", role: "status" }, "Reading the mode …");
  place.replaceChildren(wait);
  try {
    const found = await mode(answer.id, prediction.model, point, band);
    const at = found.qpoint.map((q) => number(q, 3)).join(", ");
    const title = `Mode ${band + 1} at ${found.label}, q = (${at}): ${found.frequency.toFixed(1).replace("-0.0", "0.0")} 1/cm`;
    place.replaceChildren(element("div", { class: "mode", role: "region", "aria-label": "Vibration" },
      element("div", { class: "row" }, element("h3", {}, title), button("Close", () => place.replaceChildren())),
      drawMode(found, answer.structure)));
    place.firstChild.scrollIntoView({ block: "nearest" });
  } catch (error) {
    wait.textContent = error.message;
  }
}

// For the keyboard: what a click on a band does.
function modePicker(item, place) {
  const { bands } = item.prediction;
  const points = bands.labels.map((label, i) => [label, i]).filter(([label], i, all) => label && all.findIndex(([other]) => other === label) === i);
  const point = element("select", {}, ...points.map(([label, i]) => element("option", { value: String(i) }, label)));
  const band = element("select", {}, ...bands.energies[0].map((_, n) => element("option", { value: String(n), selected: n === Math.min(3, bands.energies[0].length - 1) }, String(n + 1))));
  return element("div", { class: "row downloads picker" },
    element("span", { class: "note" }, "Click a band to see the vibration, or choose: "),
    element("label", {}, "point ", point), element("label", {}, "mode ", band),
    button("Show the vibration", () => move(Number(point.value), Number(band.value), item, place)));
}

function downloads(box, items, { answer, stem }, what) {
  const links = items.flatMap(({ prediction }) => prediction.downloads.map((name) => {
    const label = items.length > 1 ? `${name} (${prediction.model})` : name;
    return element("a", { class: "button", href: fileAddress(answer.id, prediction.model, name), download: `${stem}-${prediction.model}-${name}` }, label);
  }));
  return element("div", { class: "row downloads" }, element("span", { class: "note" }, "Download: "),
    button("PNG", () => savePicture(box, `${stem}-${what}.png`, "png")),
    button("SVG", () => savePicture(box, `${stem}-${what}.svg`, "svg")), ...links);
}

// References

let overlays = 0;

function overlay(family, items, view) {
  const { prediction, answer } = items[0];
  const id = `reference-${overlays++}`;
  const note = element("span", { class: "note", role: "status" });
  const problem = element("span", { role: "alert" });
  const choice = element("span", { class: "row" });
  const remove = button("Remove it", () => {
    view.update(null);
    note.textContent = "";
    remove.hidden = true;
  });
  remove.hidden = true;
  const input = element("input", { type: "file", id, class: "hidden-input", multiple: true });

  async function read(files, entry = "") {
    problem.textContent = "";
    choice.replaceChildren();
    try {
      const reference = await readReference(files, {
        normalisation: family === "phonons" ? "3N" : "states/eV/cell",
        formula: answer.structure.formula,
        n_atoms: answer.structure.n_atoms_primitive,
        entry,
        model: prediction.downloads.length > 1 ? prediction.model : "",
      });
      if (reference.choices.length) return ask(files, reference);
      if (reference.unit !== prediction.unit) {
        throw new Error(`${reference.name} is in ${unitOf(reference.unit)}; this plot is in ${unitOf(prediction.unit)}`);
      }
      view.update(reference);
      note.textContent = `Drawn dashed: ${reference.name}. ${difference(reference, items) ?? ""}`;
      remove.hidden = false;
    } catch (error) {
      problem.textContent = error.message;
    }
    input.value = "";
    return null;
  }

  function ask(files, { name, choices }) {
    const select = element("select", { "aria-label": `Entry of ${name}` }, ...choices.map((entry) => element("option", {}, entry)));
    choice.replaceChildren(element("span", { class: "note" }, `${name} holds several spectra, none or several of this formula: `),
      select, button("Take this one", () => read(files, select.value)));
    input.value = "";
    return null;
  }

  input.addEventListener("change", () => { if (input.files.length) read([...input.files]); });
  return element("div", { class: "row downloads overlay" },
    element("span", { class: "drop-less" }, element("label", { class: "button", for: id }, "Compare with a calculation"), input),
    element("span", { class: "note" }, family === "phonons"
      ? "phonopy (band.yaml, total_dos.dat, mesh.yaml, FORCE_CONSTANTS with phonopy.yaml), matdyn, CSV, JSON; choose the files of a folder together"
      : "vasprun.xml, DOSCAR with POSCAR, pymatgen's JSON, CSV"),
    choice, remove, note, problem);
}

// Numbers

function properties(items) {
  const names = [...new Set(items.flatMap(({ prediction }) => prediction.properties.map((item) => item.name)))]
    .filter((name) => !OF_STRUCTURE.includes(name));
  const rows = names.map((name) => {
    const found = items.map(({ prediction }) => prediction.properties.find((item) => item.name === name));
    const known = found.find((item) => item);
    const cells = found.map((item) => {
      if (!item || item.value === null) return "–";
      const bar = item.half_width_90 === null ? "" : `\u00a0±\u00a0${number(item.half_width_90, 2)}`;
      return `${number(item.value)}${bar}`;
    });
    const unit = known.unit ? element("span", { class: "unit" }, `, ${unitOf(known.unit)}`) : "";
    return [element("th", { scope: "row", title: known.description }, known.label, unit), ...cells];
  });
  if (!rows.length) return null;
  const head = ["Property", ...items.map(({ label }) => (items.length > 1 ? label : "Value"))];
  const hasBars = items.some(({ prediction }) => prediction.properties.some((item) => item.half_width_90 !== null));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Properties" },
    table(head, rows, hasBars ? "± is half of the 90 % interval" : null));
}

const CURVES = [
  ["heat_capacity", "Heat capacity at constant volume", "C<sub>V</sub>", "J/(K mol atoms)"],
  ["entropy", "Vibrational entropy", "S", "J/(K mol atoms)"],
  ["free_energy", "Helmholtz free energy", "F", "kJ/(mol atoms)"],
  ["internal_energy", "Internal energy", "U", "kJ/(mol atoms)"],
];

function thermalCard(items, { stem }) {
  const temperatures = items[0].prediction.thermal.temperature_K;
  const figures = new Map(CURVES.map(([name, title, symbol, unit]) => [name, curvesFigure(title, items.map(({ label, prediction: { thermal } }) => {
    const widths = thermal[`${name}_half_width_90`];
    return {
      label, x: thermal.temperature_K, y: thermal[name],
      lower: widths && thermal[name].map((v, k) => Math.max(0, v - widths[k])),
      upper: widths && thermal[name].map((v, k) => v + widths[k]),
    };
  }), "Temperature, K", `${symbol}, ${unit}`)]));
  const rows = temperatures.map((kelvin, i) => [kelvin, ...items.flatMap(({ prediction }) => CURVES.map(([name]) => prediction.thermal[name][i]))]);
  const head = ["temperature_K", ...items.flatMap(({ label }) => CURVES.map(([name, , , unit]) =>
    `${name}_${unit.startsWith("kJ") ? "kJ" : "J_per_K"}_mol_atoms${items.length > 1 ? ` ${label}` : ""}`))];
  const csv = [head, ...rows].map((row) => row.join(",")).join("\n") + "\n";
  const beyond = items.some(({ prediction }) => prediction.thermal.of_all_modes);
  return element("section", { class: "card wide", "aria-label": "Thermodynamics" },
    element("h2", {}, "Thermodynamics"),
    element("p", { class: "note" }, `Harmonic, at constant volume, with the zero-point energy. ${beyond ? "Of all modes of the force constants, since some lie beyond 1000 1/cm; without error bars." : "From the density of states; shaded: the 90 % interval."}`),
    element("div", { class: "pair" }, ...figures.values()),
    element("div", { class: "row downloads" },
      button("CSV", () => save(csv, `${stem}-thermodynamics.csv`, "text/csv")),
      ...CURVES.map(([name, , symbol]) => button(`PNG of ${symbol.replace("<sub>", "_").replace("</sub>", "")}`, () => savePicture(figures.get(name), `${stem}-${name}.png`, "png")))),
    details("Table of 0 to 1000 K", head.map((name) => name.replaceAll("_", " ")), rows));
}

// Densities without a scale that others share, and kinds of spectra that are not phonons or electrons.
function densityCard(items, context) {
  const { prediction } = items[0];
  const curves = items.map(({ label, prediction: { spectrum } }) => ({
    label, x: spectrum.grid, y: spectrum.values, lower: spectrum.lower_90, upper: spectrum.upper_90,
  }));
  const box = curvesFigure(`${prediction.title}. The numbers are in the table below.`, curves, prediction.axis, `${prediction.title}, ${prediction.scale}`);
  const rows = prediction.spectrum.grid.map((x, i) => [x, prediction.spectrum.values[i]]);
  return element("section", { class: "card wide", "aria-label": prediction.title },
    element("div", { class: "row head" }, element("h2", {}, prediction.title), ...items.map((item) => badge(item))),
    box, downloads(box, items.filter((item) => item.answer === context.answer), context, prediction.quantity), properties(items),
    details("Numbers", [unitOf(prediction.unit), items[0].label], rows));
}
