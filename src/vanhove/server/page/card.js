// The card of a model: the Markdown that ships with its weights, as elements.

import { element, table } from "./dom.js";

const INLINE = /(\*\*[^*]+\*\*|`[^`]+`)/;

const inline = (text) => text.split(INLINE).filter(Boolean).map((piece) => {
  if (piece.startsWith("**")) return element("strong", {}, piece.slice(2, -2));
  if (piece.startsWith("`")) return element("code", {}, piece.slice(1, -1));
  return piece;
});

const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());

// Headings, paragraphs, lists and tables: what cards are made of.
export function render(markdown) {
  const found = [];
  for (const block of markdown.split(/\n\s*\n/)) {
    const lines = block.split("\n").filter((line) => line.trim());
    if (!lines.length) continue;
    if (lines[0].startsWith("#")) {
      found.push(element(lines[0].startsWith("##") ? "h3" : "h2", {}, ...inline(lines[0].replace(/^#+\s*/, ""))));
      lines.shift();
      if (!lines.length) continue;
    }
    if (lines[0].startsWith("|")) {
      const rows = lines.filter((line) => !/^\|[\s|:-]+\|$/.test(line)).map((line) => cells(line).map((cell) => element("span", {}, ...inline(cell))));
      found.push(element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Measured errors" }, table(rows[0], rows.slice(1))));
    } else if (lines[0].startsWith("- ")) {
      const items = lines.reduce((all, line) => {
        line.startsWith("- ") ? all.push(line.slice(2)) : (all[all.length - 1] += ` ${line.trim()}`);
        return all;
      }, []);
      found.push(element("ul", {}, ...items.map((item) => element("li", {}, ...inline(item)))));
    } else {
      found.push(element("p", {}, ...inline(lines.join(" "))));
    }
  }
  return found;
}

export function showCard(model) {
  const close = element("button", { type: "button", onclick: () => box.close() }, "Close");
  const box = element("dialog", { class: "card prose", "aria-label": `What was measured of ${model.name}` },
    element("div", { class: "row" }, close),
    ...(model.card ? render(model.card) : [element("h2", {}, model.name), element("p", {}, `Trained on ${model.n_train} crystals of ${model.dataset}; nothing measured is known to this server.`)]));
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
}
