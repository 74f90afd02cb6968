// Figures with plotly in the colours of the page: the ground that all of them share.

import { element, save } from "./dom.js";

const drawn = new Map(); // figure -> how to draw it again

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
export const series = (i) => colour(`--series-${(i % 4) + 1}`);
export const part = (i) => colour(`--part-${(i % 6) + 1}`);
export const plain = (text) => text.replaceAll("<", "‹").replaceAll("&", "+");

export function faint(hex, opacity) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return `rgba(${r}, ${g}, ${b}, ${opacity})`;
}

export const axis = (title, more = {}) => ({
  title: { text: title, standoff: 8 },
  gridcolor: colour("--line"),
  zerolinecolor: colour("--quiet"),
  linecolor: colour("--quiet"),
  automargin: true,
  ...more,
});

export function layout(more = {}) {
  return {
    paper_bgcolor: colour("--surface"),
    plot_bgcolor: colour("--surface"),
    font: { family: "system-ui, sans-serif", size: 12, color: colour("--text") },
    margin: { l: 50, r: 12, t: 10, b: 40 },
    showlegend: false,
    hoverlabel: { bgcolor: colour("--surface"), font: { color: colour("--text") } },
    ...more,
  };
}

// A div that plotly fills once it is in the page, and again when colours change.
export function figure(label, make, { tall = false, onClick = null } = {}) {
  const box = element("div", { class: tall ? "figure tall" : "figure", role: "img", "aria-label": label });
  drawn.set(box, () => {
    const { data, shape } = make();
    window.Plotly.react(box, data, shape, { displayModeBar: false, responsive: true });
    if (onClick && !box.dataset.clicks) {
      box.dataset.clicks = "yes";
      box.on("plotly_click", (event) => onClick(event.points.find((point) => point.customdata) ?? event.points[0]));
    }
  });
  return box;
}

export function draw(box) {
  drawn.get(box)?.();
}

export function forget(parent) {
  for (const box of parent.querySelectorAll(".figure")) {
    window.Plotly.purge(box);
    drawn.delete(box);
  }
}

export async function savePicture(box, name, format) {
  const width = Math.max(800, box.clientWidth);
  const url = await window.Plotly.toImage(box, { format, width, height: 480, scale: format === "png" ? 2 : 1 });
  const content = url.slice(url.indexOf(",") + 1);
  if (format === "svg") return save(decodeURIComponent(content), name, "image/svg+xml");
  return save(new Blob([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], { type: "image/png" }), name);
}

// Curves y(x), one for each item {label, x, y, lower, upper}, the interval shaded.
export function curvesFigure(label, items, x, y) {
  return figure(label, () => {
    const data = items.flatMap((item, i) => {
      const shade = item.lower ? [
        { x: item.x, y: item.lower, mode: "lines", line: { width: 0 }, hoverinfo: "skip" },
        { x: item.x, y: item.upper, mode: "lines", line: { width: 0 }, hoverinfo: "skip", fill: "tonexty", fillcolor: faint(series(i), 0.2) },
      ] : [];
      const line = { color: item.reference ? colour("--reference") : series(i), width: 2.2, dash: item.reference ? "dash" : "solid" };
      return [...shade, { x: item.x, y: item.y, mode: "lines", name: plain(item.label), line }];
    });
    const shape = layout({
      xaxis: axis(x),
      yaxis: axis(y),
      hovermode: "x unified",
      showlegend: items.length > 1,
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    });
    return { data: data.map((trace) => ({ showlegend: !!trace.name, ...trace })), shape };
  });
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const box of drawn.keys()) if (box.isConnected) draw(box);
});
