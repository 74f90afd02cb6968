// Many structures: choose files or a folder, watch the progress, cancel, sort, filter, open, download.

import { batch, batchTable, cancelBatch, startBatch } from "./api.js";
import { byId, dropTarget, element, number, save, sparkline, unitOf, words } from "./dom.js";

const POLL = 400; // milliseconds
const MOST_FILES = 1000;
const FIRST = ["formula", "space_group_symbol"];
const LAST = ["crystal_system", "n_atoms", "volume_per_atom", "density"];
const LEFT_OUT = ["elements", "n_elements", "space_group_number"];

let files = [];
let current = null; // { id, rows, columns }; no id while its files are being sent
let isCancelled = false;
let order = { column: null, down: false };
let openRow = null;

export function setUp(catalog, open) {
  openRow = open;
  const select = byId("batch-model");
  for (const model of catalog.models) {
    select.append(element("option", { value: model.name }, `${model.name} (${model.property}${model.is_default ? ", default" : ""})`));
  }
  select.value = catalog.models.find((model) => model.property === "phonon-dos" && model.is_default)?.name ?? select.value;
  for (const id of ["batch-files", "batch-folder"]) byId(id).addEventListener("change", (e) => choose([...e.target.files]));
  dropTarget(byId("batch-drop"), choose);
  byId("batch-examples").addEventListener("click", () =>
    choose(catalog.examples.map((e) => new File([e.text], e.file_name))));
  byId("batch-ask").addEventListener("submit", (e) => { e.preventDefault(); start(catalog.limits); });
  byId("batch-cancel").addEventListener("click", cancel);
  byId("batch-filter").addEventListener("input", drawRows);
  byId("batch-csv").addEventListener("click", async () =>
    save(await batchTable(current.id), "vanhove-batch.csv", "text/csv"));
  byId("batch-json").addEventListener("click", () =>
    save(JSON.stringify({ columns: current.columns, rows: current.rows }, null, 1), "vanhove-batch.json", "application/json"));
}

export function choose(chosen) {
  files = chosen.filter((file) => !file.name.startsWith("."));
  byId("batch-chosen").textContent = files.length === 1 ? files[0].name : `${files.length} files chosen`;
  problem("");
}

function problem(text) {
  byId("batch-problem").textContent = text;
}

function setRunning(running) {
  byId("batch-start").disabled = running;
  byId("batch-cancel").disabled = !running;
}

async function start(limits) {
  problem("");
  if (!files.length) return problem("Choose files first.");
  if (files.length > Math.min(MOST_FILES, limits.max_batch_structures)) {
    return problem(`${files.length} files; allowed: ${Math.min(MOST_FILES, limits.max_batch_structures)}. vanhove screen takes more.`);
  }
  setRunning(true);
  isCancelled = false;
  current = { id: null, rows: [], columns: {} };
  byId("batch-scroll").replaceChildren();
  byId("batch-tools").hidden = true;
  byId("batch-filter").value = "";
  order = { column: null, down: false };
  byId("batch-status").textContent = "Sending the files …";
  try {
    current.id = (await startBatch(files, byId("batch-model").value)).id;
    if (isCancelled) await cancelBatch(current.id);
    await watch();
  } catch (error) {
    problem(error.message);
    byId("batch-status").textContent = "Stopped.";
  }
  setRunning(false);
}

async function watch() {
  for (;;) {
    const now = await batch(current.id, current.rows.length);
    current.columns = now.columns;
    current.rows.push(...now.rows);
    byId("batch-progress").max = now.n_files;
    byId("batch-progress").value = now.n_files_done;
    const failed = current.rows.filter((row) => row.error).length;
    const state = { running: "Running", done: "Done", cancelled: "Cancelled" }[now.state];
    byId("batch-status").textContent =
      `${state}: ${now.n_files_done} of ${now.n_files} files, ${current.rows.length - failed} structures predicted, ${failed} failed`;
    if (now.rows.length || now.state !== "running") drawRows();
    if (now.state !== "running") return;
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}

function shownColumns() {
  const names = Object.keys(current.columns).filter((name) => !LEFT_OUT.includes(name));
  const rank = (name) => (FIRST.includes(name) ? 0 : name === "familiarity" ? 1 : LAST.includes(name) ? 3 : 2);
  return names.sort((a, b) => rank(a) - rank(b));
}

const valueOf = (row, column) => (column === "Structure" ? row.name : row.values[column]);

// Rows that hold every word of the filter; what failed and what is not known comes last.
function shownRows() {
  const wanted = byId("batch-filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const text = (row) => `${row.name} ${row.error ?? ""} ${Object.values(row.values).join(" ")} ${row.warnings.join(" ")}`.toLowerCase();
  const rows = current.rows.filter((row) => wanted.every((word) => text(row).includes(word)));
  if (order.column === null) return rows;
  const compare = (a, b) => {
    const [x, y] = [valueOf(a, order.column), valueOf(b, order.column)];
    if (x == null || y == null) return (x == null) - (y == null);
    const sign = typeof x === "string" ? x.localeCompare(y, "en", { numeric: true }) : x - y;
    return order.down ? -sign : sign;
  };
  return rows.sort(compare);
}

function heading(name) {
  const unit = unitOf(current.columns[name] ?? "");
  const is = order.column === name;
  const sort = element("button", {
    type: "button",
    class: "sort",
    onclick: () => {
      order = { column: name, down: is && !order.down };
      drawRows();
      byId("batch-scroll").querySelector(`[data-column="${name}"] button`).focus();
    },
  }, words(name), unit ? element("span", { class: "unit" }, `, ${unit}`) : "", is ? (order.down ? " ▼" : " ▲") : "");
  return element("th", { scope: "col", "data-column": name, "aria-sort": is ? (order.down ? "descending" : "ascending") : "none" }, sort);
}

function drawRows() {
  const names = shownColumns();
  const hasLines = current.rows.some((row) => row.sparkline.length);
  const rows = shownRows().map((row) => {
    const name = element("th", { scope: "row" }, row.error ? row.name
      : element("button", { type: "button", class: "link", "aria-label": `Open ${row.name}`, onclick: () => openRow(row) }, row.name));
    if (row.error) {
      return element("tr", {}, name, element("td", { class: "failed", colspan: String(names.length + (hasLines ? 1 : 0) + 1) }, row.error));
    }
    return element("tr", {}, name,
      ...(hasLines ? [element("td", {}, sparkline(row.sparkline))] : []),
      ...names.map((key) => element("td", {}, row.values[key] == null ? "–" : number(row.values[key]))),
      element("td", { class: "warned" }, row.warnings.join("; ")));
  });
  byId("batch-scroll").replaceChildren(element("table", {},
    element("thead", {}, element("tr", {}, heading("Structure"),
      ...(hasLines ? [element("th", { scope: "col" }, "spectrum")] : []), ...names.map(heading), element("th", { scope: "col" }, "warnings"))),
    element("tbody", {}, ...rows)));
  byId("batch-tools").hidden = !current.rows.length;
  byId("batch-shown").textContent = rows.length === current.rows.length ? "" : `${rows.length} of ${current.rows.length} shown`;
}

async function cancel() {
  byId("batch-cancel").disabled = true;
  isCancelled = true;
  try {
    if (current.id) await cancelBatch(current.id);
  } catch (error) {
    problem(error.message);
  }
}
