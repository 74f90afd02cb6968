// Many structures: choose files, watch the progress, cancel, download.

import { batch, batchTable, cancelBatch, startBatch } from "./api.js";
import { byId, dropTarget, element, number, save, unitOf, words } from "./dom.js";

const POLL = 400; // milliseconds
const MOST_FILES = 1000;
const FIRST = ["formula", "crystal_system"];
const LAST = ["n_atoms", "space_group_symbol", "volume_per_atom", "density"];
const LEFT_OUT = ["elements", "n_elements", "space_group_number"];

let files = [];
let current = null; // { id, rows, columns }

export function setUp(catalog) {
  const select = byId("batch-model");
  for (const model of catalog.models) {
    select.append(element("option", { value: model.name }, `${model.name} (${model.property})`));
  }
  select.value = catalog.models.find((model) => model.property === "phonon-dos")?.name ?? select.value;
  byId("batch-files").addEventListener("change", (e) => choose([...e.target.files]));
  dropTarget(byId("batch-drop"), choose);
  byId("batch-examples").addEventListener("click", () =>
    choose(catalog.examples.map((e) => new File([e.text], e.file_name))));
  byId("batch-ask").addEventListener("submit", (e) => { e.preventDefault(); start(catalog.limits); });
  byId("batch-cancel").addEventListener("click", cancel);
  byId("batch-csv").addEventListener("click", async () =>
    save(await batchTable(current.id), "vanhove-batch.csv", "text/csv"));
  byId("batch-json").addEventListener("click", () =>
    save(JSON.stringify({ columns: current.columns, rows: current.rows }, null, 1), "vanhove-batch.json", "application/json"));
}

function choose(chosen) {
  files = chosen;
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
  byId("batch-scroll").replaceChildren();
  byId("batch-downloads").hidden = true;
  byId("batch-status").textContent = "Sending the files …";
  try {
    const begun = await startBatch(files, byId("batch-model").value);
    current = { id: begun.id, rows: [], columns: {} };
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

function drawRows() {
  const names = Object.keys(current.columns).filter((name) => !LEFT_OUT.includes(name));
  const rank = (name) => (FIRST.includes(name) ? 0 : LAST.includes(name) ? 2 : 1);
  names.sort((a, b) => rank(a) - rank(b));
  const head = names.map((name) => {
    const unit = unitOf(current.columns[name]);
    return element("th", { scope: "col" }, words(name), unit ? element("span", { class: "unit" }, `, ${unit}`) : "");
  });
  const rows = current.rows.map((row) => {
    const name = element("th", { scope: "row" }, row.name);
    const cells = row.error
      ? [element("td", { class: "failed", colspan: String(Math.max(1, names.length)) }, row.error)]
      : names.map((key) => element("td", {}, row.values[key] == null ? "–" : number(row.values[key])));
    return element("tr", {}, name, ...cells);
  });
  byId("batch-scroll").replaceChildren(element("table", {},
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Structure"), ...head)),
    element("tbody", {}, ...rows)));
  byId("batch-downloads").hidden = !current.rows.length;
}

async function cancel() {
  byId("batch-cancel").disabled = true;
  try {
    await cancelBatch(current.id);
  } catch (error) {
    problem(error.message);
  }
}
