// Bands and density side by side on one axis: phonons or electrons of one or several predictions.

import { axis, colour, draw, faint, figure, forget, layout, part, plain, series } from "./charts.js";
import { capital, dot, element } from "./dom.js";

export const FAMILIES = {
  phonons: { title: "Phonons", axis: "Frequency", units: { "1/cm": 1, THz: 0.0299792458, meV: 0.12398419843 } },
  electrons: { title: "Electrons", axis: "Energy", units: { eV: 1 } },
};
const NAMES = { calibrated: "density with 90 % interval", total: "density, all modes" };
let chosenUnit = "1/cm";

export const familyOf = (quantity) =>
  quantity.startsWith("phonon_") ? "phonons" : quantity.startsWith("electron_") ? "electrons" : null;

const pathOf = (bands) => bands.labels.filter(Boolean).join("-");
const samePath = (a, b) => a && b && pathOf(a) === pathOf(b);

function ticksOf({ distances, labels }) {
  const ticks = new Map();
  labels.forEach((label, i) => {
    if (!label) return;
    const known = ticks.get(distances[i]);
    ticks.set(distances[i], known && known !== label ? `${known}|${label}` : label);
  });
  return ticks;
}

// Labels that would lie over each other are left out; their lines stay.
function roomyLabels(ticks, length, pixels) {
  let end = -Infinity;
  return [...ticks].map(([at, label], i) => {
    const half = 4 * label.length + 2;
    const middle = (at / length) * pixels;
    if (i && middle - half < end) return "";
    end = middle + half;
    return label;
  });
}

// All bands as one line with gaps; customdata says which point and band is under the pointer.
function bandTrace(bands, length, factor, more) {
  const x = [], y = [], customdata = [];
  const stretch = length / bands.distances.at(-1);
  for (let band = 0; band < bands.energies[0].length; band++) {
    bands.distances.forEach((distance, point) => {
      if (point && distance === bands.distances[point - 1]) { x.push(null); y.push(null); customdata.push(null); }
      x.push(distance * stretch);
      y.push(bands.energies[point][band] * factor);
      customdata.push([point, band]);
    });
    x.push(null); y.push(null); customdata.push(null);
  }
  return { x, y, customdata, mode: "lines", xaxis: "x", yaxis: "y", ...more };
}

function bandInterval(bands, length, factor, hex) {
  if (!bands.upper_90) return [];
  const stretch = length / bands.distances.at(-1);
  const x = bands.distances.map((d) => d * stretch);
  const column = (rows, band) => rows.map((row) => row[band] * factor);
  return bands.energies[0].flatMap((_, band) => [
    { x, y: column(bands.lower_90, band), mode: "lines", line: { width: 0 }, hoverinfo: "skip" },
    { x, y: column(bands.upper_90, band), mode: "lines", line: { width: 0 }, hoverinfo: "skip", fill: "tonexty", fillcolor: faint(hex, 0.13) },
  ]);
}

function densityTraces(density, factor, line, hex) {
  const y = density.grid.map((value) => value * factor);
  const scaled = (values) => values.map((value) => value / factor);
  const shade = density.lower_90 ? [
    { x: scaled(density.lower_90), y, mode: "lines", line: { width: 0 }, hoverinfo: "skip", xaxis: "x2", yaxis: "y" },
    { x: scaled(density.upper_90), y, mode: "lines", line: { width: 0 }, hoverinfo: "skip", fill: "tonextx", fillcolor: faint(hex, 0.25), xaxis: "x2", yaxis: "y" },
  ] : [];
  return [...shade, { x: scaled(density.values), y, mode: "lines", line, xaxis: "x2", yaxis: "y" }];
}

// What can be shown or hidden: {key, label, colour, dash, traces(length, factor)}.
function entriesOf(items, reference) {
  const path = items.find(({ prediction }) => prediction.bands)?.prediction.bands ?? null;
  const several = items.length > 1 || reference;
  const entries = [];
  items.forEach(({ label, prediction }, i) => {
    const bands = reference?.predicted && i === 0 ? reference.predicted : prediction.bands;
    const main = () => series(i);
    const suffix = several ? ` (${label})` : "";
    if (bands && (i === 0 || samePath(bands, path)) && !(reference?.predicted && i > 0)) {
      entries.push({
        key: `bands ${i}`, label: `bands${suffix}`, colour: main, of: "bands", bands,
        traces: (length, factor) => [
          ...bandInterval(bands, length, factor, main()),
          bandTrace(bands, length, factor, { name: plain(`bands${suffix}`), line: { color: main(), width: i ? 1.3 : 1.6 } }),
        ],
      });
    }
    const nParts = prediction.densities.filter(({ name }) => !(name in NAMES)).length;
    prediction.densities.forEach((density, k) => {
      const isPart = !(density.name in NAMES);
      if (isPart && (i || nParts < 2)) return; // the share of a single element is everything
      const n = prediction.densities.slice(0, k).filter((other) => !(other.name in NAMES)).length;
      const own = isPart ? () => part(n) : density.name === "total" && prediction.densities[0].name === "calibrated" ? () => colour(i ? `--series-${i + 1}` : "--quiet") : main;
      const name = isPart ? density.name : prediction.densities.some((d) => d.name === "calibrated") ? NAMES[density.name] : "density";
      entries.push({
        key: `${density.name} ${i}`, label: `${name}${suffix && !isPart ? suffix : ""}`, colour: own, of: "density", density,
        traces: (_, factor) => densityTraces(density, factor, { color: own(), width: density.name === "calibrated" ? 2.2 : 1.5 }, own()),
      });
    });
  });
  if (reference) {
    const own = () => colour("--reference");
    const line = () => ({ color: own(), width: 1.5, dash: "dash" });
    const there = reference.bands && (reference.predicted || samePath(reference.bands, path));
    entries.push({
      key: "reference", label: `${reference.name} (dashed)`, colour: own, of: "reference", bands: there ? reference.bands : null, density: reference.spectrum,
      traces: (length, factor) => [
        ...(there ? [bandTrace(reference.bands, length, factor, { line: line(), name: plain(reference.name) })] : []),
        ...(reference.spectrum ? densityTraces(reference.spectrum, factor, line(), own()) : []),
      ],
    });
  }
  return entries;
}

const shownRange = (family, entries, factor) => {
  const edges = entries.flatMap(({ bands, density }) => [
    ...(bands ? bands.energies.flatMap((row) => [row[0], row.at(-1)]) : []),
    ...(density ? spread(density) : []),
  ]);
  let [low, high] = [Math.min(...edges), Math.max(...edges)];
  if (family === "electrons") [low, high] = [Math.max(low, -10), Math.min(high, 8)];
  else low = Math.min(low, 0);
  const room = 0.02 * (high - low);
  return [(low - (low < 0 ? room : 0)) * factor, (high + room) * factor];
};

function spread({ grid, values }) {
  const top = Math.max(...values) * 1e-3;
  const there = grid.filter((_, i) => values[i] > top);
  return there.length ? [there[0], there.at(-1)] : [];
}

export function describe(family, items) {
  const { prediction } = items[0];
  const words = [];
  if (prediction.bands) words.push(`bands along ${pathOf(prediction.bands)}`);
  const density = prediction.densities[0] ?? prediction.spectrum;
  if (density) {
    const peak = density.grid[density.values.indexOf(Math.max(...density.values))];
    words.push(`density of states with its highest peak at ${Number(peak.toFixed(2))} ${Object.keys(FAMILIES[family].units)[0]}`);
  }
  return `${FAMILIES[family].title}: ${words.join(", ")}. The numbers are in the files below.`;
}

// The figure, its legend of buttons and the choice of the unit; `update` draws another reference.
export function sideBySide(family, items, onMode) {
  const { units } = FAMILIES[family];
  // Of several predictions, what is certain is enough to begin with.
  const hidden = new Set(items.length < 2 ? [] : items.flatMap(({ prediction }, i) => {
    const names = prediction.densities.map(({ name }) => name);
    return names.filter((name) => name !== (names.includes("calibrated") ? "calibrated" : "total")).map((name) => `${name} ${i}`);
  }));
  const legend = element("div", { class: "chips legend-row", role: "group", "aria-label": "Shown in the plot" });
  let reference = null;
  let entries = entriesOf(items, null);
  const unit = () => (chosenUnit in units ? chosenUnit : Object.keys(units)[0]);

  const box = figure(describe(family, items), () => {
    const factor = units[unit()];
    const visible = entries.filter(({ key }) => !hidden.has(key));
    const hasBands = entries.some(({ bands }) => bands);
    const hasDensity = entries.some(({ density }) => density);
    const first = entries.find(({ bands }) => bands)?.bands;
    const length = first?.distances.at(-1) ?? 1;
    const ticks = first ? ticksOf(first) : new Map();
    const narrow = box.clientWidth < 500;
    const data = visible.flatMap((entry) => entry.traces(length, factor)).map((trace) => (trace.hoverinfo ? trace : {
      hovertemplate: `%{y:.4~g} ${unit()}<extra>${trace.name ?? ""}</extra>`, ...trace,
    }));
    const zero = first?.zero ?? "valence band maximum; Fermi level of a metal";
    const title = family === "electrons" ? `Energy, ${unit()} (0: ${zero})` : `Frequency, ${unit()}`;
    const shape = layout({
      hovermode: "closest",
      yaxis: axis(title, { range: shownRange(family, entries, factor), zeroline: true, anchor: hasBands ? "x" : "x2" }),
      xaxis: axis("", {
        domain: hasDensity ? [0, hasBands ? 0.66 : 0.001] : [0, 1], range: [0, length], visible: hasBands, zeroline: false,
        tickvals: [...ticks.keys()], ticktext: roomyLabels(ticks, length, 0.66 * (box.clientWidth - 70)), tickangle: 0, gridcolor: colour("--quiet"),
      }),
      xaxis2: axis(`States per${narrow ? "<br>" : " "}${unit()} and cell`, {
        domain: hasBands ? [narrow ? 0.73 : 0.69, 1] : [0, 1], rangemode: "tozero", visible: hasDensity, anchor: "y", nticks: narrow ? 3 : 5, tickangle: 0,
      }),
    });
    return { data, shape };
  }, {
    tall: true,
    onClick: (at) => { if (at.customdata && !reference?.predicted && onMode) onMode(...at.customdata); },
  });

  function drawLegend() {
    legend.replaceChildren(...entries.map(({ key, label, colour: own }) => element("button", {
      type: "button",
      "aria-pressed": String(!hidden.has(key)),
      onclick: (e) => {
        hidden.has(key) ? hidden.delete(key) : hidden.add(key);
        e.currentTarget.setAttribute("aria-pressed", String(!hidden.has(key)));
        draw(box);
      },
    }, dot(own()), label)));
  }

  const choice = Object.keys(units).length < 2 ? null : element("label", { class: "unit-choice" }, "Unit ",
    element("select", { onchange: (e) => { chosenUnit = e.target.value; draw(box); } },
      ...Object.keys(units).map((name) => element("option", { value: name, selected: name === unit() }, name))));

  function update(other) {
    reference = other;
    entries = entriesOf(items, other);
    drawLegend();
    if (box.isConnected) draw(box);
  }
  drawLegend();
  return { box, legend, choice, update, forget: () => forget(box.parentElement) };
}

// How far apart a prediction and a reference are, in words; null where that cannot be said.
export function difference(reference, items) {
  const words = [];
  const ours = reference.predicted ?? (samePath(reference.bands, items[0].prediction.bands) ? items[0].prediction.bands : null);
  const theirs = reference.bands;
  if (ours && theirs && ours.energies.length === theirs.energies.length && ours.energies[0].length === theirs.energies[0].length) {
    let sum = 0;
    theirs.energies.forEach((row, i) => row.forEach((x, k) => { sum += Math.abs(x - ours.energies[i][k]); }));
    words.push(`bands differ by ${(sum / theirs.energies.length / theirs.energies[0].length).toPrecision(3)} ${reference.unit === "eV" ? "eV" : "1/cm"} on average`);
  } else if (theirs && !ours) {
    words.push("its bands are on another path and are not drawn");
  }
  const mean = ({ grid, values }) => {
    const weight = values.reduce((a, b) => a + b, 0);
    return grid.reduce((a, x, i) => a + x * values[i], 0) / weight;
  };
  if (reference.spectrum && reference.unit === "cm-1") {
    const density = items[0].prediction.densities.find((d) => d.name === "total") ?? items[0].prediction.densities[0];
    if (density) words.push(`mean frequency: predicted ${mean(density).toFixed(1)}, reference ${mean(reference.spectrum).toFixed(1)} 1/cm`);
  }
  return words.length ? capital(`${words.join("; ")}.`) : null;
}
