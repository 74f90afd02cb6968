// Small helpers: elements, tables, numbers, downloads. Text is never read as HTML.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

export function dot(colour) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 14 14");
  svg.setAttribute("aria-hidden", "true");
  const circle = document.createElementNS(SVG, "circle");
  for (const [key, value] of Object.entries({ cx: 7, cy: 7, r: 6, fill: colour, stroke: "currentColor" })) {
    circle.setAttribute(key, value);
  }
  svg.append(circle);
  return svg;
}

export function table(head, rows, caption = null) {
  const cells = (row) => row.map((cell, i) =>
    cell instanceof HTMLTableCellElement ? cell
      : element(i === 0 ? "th" : "td", i === 0 ? { scope: "row" } : {}, cell));
  return element("table", {},
    ...(caption ? [element("caption", {}, caption)] : []),
    element("thead", {}, element("tr", {}, ...head.map((cell) => element("th", { scope: "col" }, cell)))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells(row)))));
}

export function number(value, digits = 4) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) || value === 0) return String(value);
  const rounded = Number(value.toPrecision(digits));
  return Math.abs(rounded) >= 1e-3 && Math.abs(rounded) < 1e6 ? String(rounded) : value.toExponential(digits - 1);
}

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export const words = (name) => name.replace(/_eV$/, "").replace(/_(\d+)K$/, " at $1 K").replaceAll("_", " ").replace(/^dos /, "DOS ");

const UNITS = { "cm-1": "1/cm", "angstrom^3": "Å³", "g/cm^3": "g/cm³" };
export const unitOf = (unit) => UNITS[unit] ?? unit;

const subscript = (digit) => "₀₁₂₃₄₅₆₇₈₉"[Number(digit)];
export const withSubscripts = (formula) => formula.replace(/\d/g, subscript);
export const spaceGroup = (symbol) => symbol.replace(/_(\d)/g, (_, digit) => subscript(digit));

export function save(content, name, type) {
  const blob = content instanceof Blob ? content : new Blob([content], { type });
  const url = URL.createObjectURL(blob);
  const link = element("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export const fileStem = (name) => name.replace(/\.[^.]*$/, "").replace(/[^\w.+-]+/g, "_") || "structure";

// The table is made when it is opened.
export function details(title, head, rows) {
  const box = element("details", {}, element("summary", {}, title));
  box.addEventListener("toggle", () => {
    if (box.children.length > 1) return;
    const shown = rows.map((row) => row.map((value) => number(value)));
    box.append(element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, table(head, shown)));
  });
  return box;
}

export function sparkline(values) {
  const svg = document.createElementNS(SVG, "svg");
  const points = values.map((y, i) => `${((100 * i) / (values.length - 1)).toFixed(1)},${(23 - 22 * y).toFixed(1)}`).join(" ");
  for (const [key, value] of Object.entries({ viewBox: "0 0 100 24", class: "spark", "aria-hidden": "true" })) svg.setAttribute(key, value);
  const line = document.createElementNS(SVG, "polyline");
  line.setAttribute("points", points);
  svg.append(line);
  return svg;
}

export function dropTarget(target, onFiles) {
  for (const event of ["dragenter", "dragover"]) {
    target.addEventListener(event, (e) => { e.preventDefault(); target.classList.add("over"); });
  }
  for (const event of ["dragleave", "drop"]) {
    target.addEventListener(event, (e) => { e.preventDefault(); target.classList.remove("over"); });
  }
  target.addEventListener("drop", async (e) => {
    const entries = [...e.dataTransfer.items].map((item) => item.webkitGetAsEntry?.());
    const plain = [...e.dataTransfer.files];
    const files = entries.some((entry) => entry?.isDirectory) ? (await Promise.all(entries.map(filesOf))).flat() : plain;
    if (files.length) onFiles(files);
  });
}

// The files of a dropped folder, those of folders in it included.
async function filesOf(entry) {
  if (!entry) return [];
  if (entry.isFile) return [await new Promise((resolve, reject) => { entry.file(resolve, reject); })];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (!some.length) return found;
    found.push(...(await Promise.all(some.map(filesOf))).flat());
  }
}
