// The service: every call gives its JSON or throws an Error with the server's reason.

const RETRIES = 5;

async function call(path, options = {}, retries = RETRIES) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw new Error("Stopped.");
    throw new Error("The server does not answer. Is it still running?");
  }
  if (response.status === 429 && retries > 0) {
    const seconds = Number(response.headers.get("Retry-After")) || 2;
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
    return call(path, options, retries - 1);
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok) {
    throw new Error(answer?.detail ?? `The server answered ${response.status}.`);
  }
  return answer;
}

function form(fields) {
  const data = new FormData();
  for (const [name, value, fileName] of fields) {
    fileName === undefined ? data.append(name, value) : data.append(name, value, fileName);
  }
  return { method: "POST", body: data };
}

const at = (...parts) => ["api", ...parts.map(encodeURIComponent)].join("/");

export const catalog = () => call("api/catalog");

export function predictText(text, name, models, signal) {
  return call("api/predict", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ text, name, models }),
    signal,
  });
}

export const predictFile = (file, models, signal) =>
  call("api/predict/file", { ...form([["file", file], ...models.map((model) => ["models", model])]), signal });

export const result = (id) => call(at("results", id));
export const mode = (id, model, point, band) => call(`${at("results", id, "modes", model)}?point=${point}&band=${band}`);
export const fileAddress = (id, model, name) => at("results", id, "files", model, name);

export const readReference = (files, fields) =>
  call("api/reference", form([
    ...files.map((file) => ["files", file, file.name]),
    ...Object.entries(fields).filter(([, value]) => value !== null && value !== ""),
  ]));

export const search = (text) => call(`api/search?text=${encodeURIComponent(text)}`);
export const structure = (id) => call(at("structures", id));

export const startBatch = (files, model) =>
  call("api/batches", form([["model", model], ...files.map((file) => ["files", file, file.name])]));

export const batch = (id, firstRow) => call(`${at("batches", id)}?first_row=${firstRow}`);
export const cancelBatch = (id) => call(at("batches", id), { method: "DELETE" });
export const batchTable = (id) => fetch(`${at("batches", id)}/table.csv`).then((r) => r.text());
