// One field takes typed codes and keyboard-wedge scanners alike; Enter ends a code.

import { el } from "./dom.js";
import { parse } from "./codes.js";
import { say } from "./words.js";

const WEDGE_GAP_MS = Number(localStorage.getItem("wedge_gap_ms") ?? 100);

// `take` gets a parsed code; scans wait for each other so that none is lost.
export function scanner(take) {
  let line = Promise.resolve();
  const field = el("input", {
    id: "code",
    inputmode: "text",
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: "false",
    enterkeyhint: "done",
    placeholder: say("phone.type_code"),
    "aria-label": say("phone.type_code"),
  });
  const enter = () => {
    const raw = field.value;
    field.value = "";
    if (raw.trim() === "") return;
    line = line.then(() => take(parse(raw), raw.trim())).catch((problem) => {
      window.dispatchEvent(new ErrorEvent("error", { error: problem, message: String(problem) }));
    });
  };
  const form = el(
    "form",
    { class: "scan", on: { submit: (event) => (event.preventDefault(), enter()) } },
    field,
    el("button", { type: "submit", class: "plain" }, say("phone.add")),
  );
  listen(field, enter);
  queueMicrotask(() => field.focus({ preventScroll: true }));
  return form;
}

let stop = () => {};

// A wedge types wherever the focus is; its keys come faster than any finger.
function listen(field, enter) {
  stop();
  let last = 0;
  const onKey = (event) => {
    if (event.target === field || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]") || /^(?:INPUT|TEXTAREA)$/.test(event.target.tagName)) {
      return;
    }
    const fresh = event.timeStamp - last > WEDGE_GAP_MS;
    if (event.key === "Enter" && field.value !== "" && !fresh) {
      event.preventDefault();
      enter();
    } else if (event.key.length === 1) {
      field.value += event.key;
      field.focus({ preventScroll: true });
      event.preventDefault();
    } else return;
    last = event.timeStamp;
  };
  document.addEventListener("keydown", onKey);
  stop = () => document.removeEventListener("keydown", onKey);
}
