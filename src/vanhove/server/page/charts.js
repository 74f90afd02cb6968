// Spectra, bands and curves with plotly, in the colours of the page.

import { capital, element, save, unitOf } from "./dom.js";

const drawn = new Map(); // figure -> how to draw it again

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const series = (i) => colour(`--series-${(i % 4) + 1}`);
const plain = (text) => text.replaceAll("<", "‹").replaceAll("&", "+");

function faint(hex, opacity) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return `rgba(${r}, ${g}, ${b}, ${opacity})`;
}

function layout(x, y, more = {}) {
  const axis = (title) => ({
    title: { text: title, standoff: 8 },
    gridcolor: colour("--line"),
    zerolinecolor: colour("--quiet"),
    linecolor: colour("--quiet"),
    automargin: true,
  });
  return {
    paper_bgcolor: colour("--surface"),
    plot_bgcolor: colour("--surface"),
    font: { family: "system-ui, sans-serif", size: 12, color: colour("--text") },
    margin: { l: 50, r: 12, t: 10, b: 40 },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    hovermode: "x unified",
    hoverlabel: { bgcolor: colour("--surface"), font: { color: colour("--text") } },
    ...more,
    xaxis: { ...axis(x), ...more.xaxis },
    yaxis: { ...axis(y), ...more.yaxis },
  };
}

function interval(x, lower, upper, i, label, more = {}) {
  if (!lower) return [];
  const edge = { x, mode: "lines", line: { width: 0 }, hoverinfo: "skip", legendgroup: label };
  const fillcolor = faint(series(i), more.opacity ?? 0.2);
  return [
    { ...edge, y: lower, showlegend: false },
    { ...edge, y: upper, fill: "tonexty", fillcolor, name: "90 % interval", showlegend: more.showlegend ?? true },
  ];
}

function curves(x, items, i, label) {
  const traces = interval(x, items.lower, items.upper, i, label);
  traces.push({ x, y: items.values, mode: "lines", name: label, line: { color: series(i), width: 2.2 }, legendgroup: label });
  return traces;
}

// A div that plotly fills once it is in the page, and again when colours change.
function figure(label, make, tall = false) {
  const box = element("div", { class: tall ? "figure tall" : "figure", role: "img", "aria-label": label });
  drawn.set(box, () => {
    const { data, shape } = make();
    window.Plotly.react(box, data, shape, { displayModeBar: false, responsive: true });
  });
  return box;
}

export function draw(box) {
  drawn.get(box)();
}

export function forget(parent) {
  for (const box of parent.querySelectorAll(".figure")) {
    window.Plotly.purge(box);
    drawn.delete(box);
  }
}

export async function savePng(box, name) {
  const width = Math.max(700, box.clientWidth);
  const url = await window.Plotly.toImage(box, { format: "png", width, height: 450, scale: 2 });
  const bytes = Uint8Array.from(atob(url.split(",")[1]), (c) => c.charCodeAt(0));
  save(new Blob([bytes], { type: "image/png" }), name);
}

export function spectrumFigure(predictions, reference, title) {
  const first = predictions[0];
  const peak = first.spectrum.grid[first.spectrum.values.indexOf(Math.max(...first.spectrum.values))];
  const label = `${title}: highest peak at ${peak} ${unitOf(first.unit)} by ${first.model}. The numbers are in the table below.`;
  return figure(label, () => {
    const data = predictions.flatMap(({ model, spectrum }, i) =>
      curves(spectrum.grid, { values: spectrum.values, lower: spectrum.lower_90, upper: spectrum.upper_90 }, i, plain(model)));
    if (reference) {
      const line = { color: colour("--reference"), width: 1.6, dash: "dash" };
      data.push({ x: reference.spectrum.grid, y: reference.spectrum.values, mode: "lines", name: plain(reference.name), line });
    }
    return { data, shape: layout(capital(first.axis), `${title}, ${first.scale}`, { yaxis: { rangemode: "tozero" } }) };
  });
}

export function bandsFigure(predictions, title) {
  const { distances, labels } = predictions[0].bands;
  const ticks = new Map();
  labels.forEach((label, i) => {
    if (!label) return;
    const known = ticks.get(distances[i]);
    ticks.set(distances[i], known && known !== label ? `${known}|${label}` : label);
  });
  const unit = unitOf(predictions[0].unit);
  const bars = predictions.filter(({ bands }) => bands.upper_90).map(({ model, bands }) => {
    const widths = bands.energies.flatMap((row, at) => row.map((energy, band) => bands.upper_90[at][band] - energy));
    const mean = widths.reduce((sum, width) => sum + width, 0) / widths.length;
    return `; the 90 % interval of ${model} is ± ${mean.toFixed(1)} ${unit} on average`;
  });
  return figure(`${title} along ${[...ticks.values()].join(", ")}${bars.join("")}`, () => {
    const data = predictions.flatMap(({ model, bands }, i) => {
      const column = (rows, band) => rows?.map((row) => row[band]);
      const numbers = [...bands.energies[0].keys()];
      const label = plain(model);
      // Intervals overlap: it is darker where more bands may be.
      const shades = numbers.flatMap((band) =>
        interval(bands.distances, column(bands.lower_90, band), column(bands.upper_90, band), i, label,
          { opacity: 0.14, showlegend: band === 0 }));
      return [...shades, ...numbers.map((band) => ({
        x: bands.distances,
        y: column(bands.energies, band),
        mode: "lines",
        name: label,
        legendgroup: label,
        showlegend: band === 0,
        line: { color: series(i), width: 1.8 },
        hovertemplate: `%{y:.2f} ${unit}<extra></extra>`,
      }))];
    });
    const places = [...ticks.keys()];
    const shape = layout("", `Energy from the Fermi level, ${unit}`, {
      hovermode: "closest",
      xaxis: { tickvals: places, ticktext: [...ticks.values()], showgrid: true, gridcolor: colour("--quiet"), range: [0, distances.at(-1)], zeroline: false },
      shapes: [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: 0, y1: 0, line: { dash: "dot", width: 1.2, color: colour("--quiet") } }],
    });
    return { data, shape };
  }, true);
}

export function thermalFigure(predictions, key, title, symbol) {
  return figure(title, () => {
    const data = predictions.flatMap(({ model, thermal }, i) => {
      const values = thermal[key];
      const widths = thermal[`${key}_half_width_90`];
      return curves(thermal.temperature_K, {
        values,
        lower: widths && values.map((v, k) => Math.max(0, v - widths[k])),
        upper: widths && values.map((v, k) => v + widths[k]),
      }, i, plain(model));
    });
    return { data, shape: layout("Temperature, K", `${symbol}, J/(K mol atoms)`, { yaxis: { rangemode: "tozero" } }) };
  });
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const box of drawn.keys()) if (box.isConnected) draw(box);
});
