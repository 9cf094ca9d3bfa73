// Count: blind. What the book expects is never shown, and not even on the phone.

import { button, el } from "./dom.js";
import { tell } from "./feedback.js";
import * as outbox from "./outbox.js";
import { scanner } from "./scanner.js";
import * as store from "./store.js";
import { say } from "./words.js";
import { lookUp, notice } from "./lookup.js";

const TASK = "count";

export async function count(app) {
  let task = (await store.get("tasks", TASK)) ?? { id: TASK, kind: "count", lines: [], scans: [] };
  const last = el("div", { class: "last", "aria-live": "assertive" });
  const list = el("div", { class: "list", role: "list" });
  const hint = el("p", { class: "empty" }, say("phone.count_start"));

  async function keep(next, line, mood, text) {
    try {
      await store.put("tasks", next);
    } catch {
      tell("wrong");
      return notice(last, "wrong", say("phone.not_saved"));
    }
    task = next;
    tell(mood === "good" ? "good" : "asks");
    notice(last, mood, text, say("phone.counted", { n: line.counted }));
    draw();
  }

  const take = async (code, raw) => {
    const known = await lookUp(code);
    if (!known) {
      tell("wrong");
      const key = code.kind === "bad" ? "phone.bad_digit" : "phone.unknown_code";
      return notice(last, "wrong", say(key, { code: raw }));
    }
    const next = structuredClone(task);
    let line = next.lines.find((one) => one.sku === known.sku);
    if (!line) {
      line = { sku: known.sku, name: known.name, counted: 0 };
      next.lines.unshift(line);
    }
    line.counted += code.times;
    // Counted at its last scan: what is sold after that does not disturb it.
    line.at = new Date().toISOString();
    next.scans.push({ sku: known.sku, quantity: code.times });
    return keep(next, line, "good", say("phone.scanned", { name: known.name, n: code.times }));
  };

  const undo = async () => {
    const taken = task.scans.at(-1);
    if (!taken) return notice(last, "amber", say("phone.nothing_to_undo"));
    const next = structuredClone(task);
    next.scans.pop();
    const line = next.lines.find((one) => one.sku === taken.sku);
    line.counted -= taken.quantity;
    if (!next.scans.some((scan) => scan.sku === taken.sku)) {
      next.lines = next.lines.filter((one) => one.sku !== taken.sku);
    }
    return keep(next, line, "amber", say("phone.undone", { name: line.name, n: taken.quantity }));
  };

  const finish = async () => {
    if (task.lines.length === 0) return notice(last, "amber", say("phone.count_empty"));
    for (const line of [...task.lines].reverse()) {
      const left = { ...task, lines: task.lines.filter((one) => one.sku !== line.sku) };
      const event = {
        kind: "count",
        person: app.person.name,
        label: { key: "phone.event_count", name: line.name, n: line.counted },
        at: line.at,
        body: { location: app.place, sku: line.sku, quantity: line.counted },
      };
      // Each line leaves the shelf's list in the transaction that queues its event.
      await outbox.add(event, (tasks) => tasks.put({ ...left, scans: [] }));
      task = { ...left, scans: [] };
    }
    tell("good");
    app.home(say("phone.count_sent"));
  };

  function draw() {
    list.replaceChildren(
      ...task.lines.map((line) =>
        el(
          "div",
          { class: "line", role: "listitem", "data-sku": line.sku },
          el("span", { class: "name" }, line.name),
          el("span", { class: "number" }, say("phone.counted", { n: line.counted })),
        ),
      ),
    );
    hint.hidden = task.lines.length > 0;
  }

  draw();
  return {
    title: say("phone.count"),
    subtitle: say("phone.count_title", { place: app.place }),
    body: [scanner(take), last, hint, list],
    foot: [button(say("phone.undo"), undo, "plain"), button(say("phone.count_finish"), finish, "go")],
    back: app.home,
  };
}
