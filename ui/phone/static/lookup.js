// From a code to a SKU without asking the service, and the words of the last scan.

import { el } from "./dom.js";
import * as store from "./store.js";

export async function lookUp(code) {
  if (code.kind === "bad") return undefined;
  return store.get("skus", code.gtin ?? code.text);
}

export function notice(box, mood, text, detail = "") {
  const sign = { good: "✓", amber: "!", wrong: "✕" }[mood];
  box.className = `last ${mood}`;
  box.replaceChildren(
    el("i", {}, sign),
    el("span", {}, el("strong", {}, text), detail ? el("small", {}, detail) : null),
  );
}
