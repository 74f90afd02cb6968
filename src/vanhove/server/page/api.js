// The service: every call gives its JSON or throws an Error with the server's reason.

const RETRIES = 5;

async function call(path, options = {}, retries = RETRIES) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
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

export const catalog = () => call("api/catalog");

export function predictText(text, name, models) {
  return call("api/predict", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ text, name, models }),
  });
}

export const predictFile = (file, models) =>
  call("api/predict/file", form([["file", file], ...models.map((model) => ["models", model])]));

export const readReference = (file, normalisation) =>
  call("api/reference", form([["file", file], ["normalisation", normalisation]]));

export const startBatch = (files, model) =>
  call("api/batches", form([["model", model], ...files.map((file) => ["files", file, file.name])]));

export const batch = (id, firstRow) => call(`api/batches/${id}?first_row=${firstRow}`);
export const cancelBatch = (id) => call(`api/batches/${id}`, { method: "DELETE" });
export const batchTable = (id) => fetch(`api/batches/${id}/table.csv`).then((r) => r.text());
