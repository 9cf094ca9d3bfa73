// Receive: what was shipped, what is here, every scan saved before it is counted.

import { ask, button, el } from "./dom.js";
import { tell } from "./feedback.js";
import * as outbox from "./outbox.js";
import { scanner } from "./scanner.js";
import * as store from "./store.js";
import { say } from "./words.js";
import { lookUp, notice } from "./lookup.js";

export async function choose(app) {
  const open = (await store.all("tasks")).filter((task) => task.kind === "receive" && !task.finished);
  open.sort((a, b) => a.id.localeCompare(b.id));
  const last = el("div", { class: "last", "aria-live": "assertive" });
  const pick = (task) => app.show(() => receive(app, task.id));
  const loaded = await store.recall("loaded");
  const nothing = loaded ? say("phone.no_deliveries", { place: app.place }) : say("phone.not_loaded");
  const list = el(
    "div",
    { class: "list" },
    ...open.map((task) => {
      const units = task.lines.reduce((sum, line) => sum + line.want, 0);
      const row = button("", () => pick(task), "row");
      row.append(
        el("span", {}, el("strong", {}, task.id), el("small", {}, say("phone.from_place", { place: task.origin }))),
        el("span", {}, say("phone.units_in", { n: units })),
      );
      return row;
    }),
  );
  const take = async (code) => {
    const task = open.find((one) => one.id === code.text || one.sscc?.includes(code.sscc));
    if (task) {
      tell("good");
      return pick(task);
    }
    tell("wrong");
    notice(last, "wrong", say("phone.unknown_code", { code: code.text }));
  };
  return {
    title: say("phone.deliveries"),
    subtitle: app.place,
    body: [scanner(take), last, open.length ? list : el("p", { class: "empty" }, nothing)],
    back: app.home,
  };
}

export async function receive(app, id) {
  let task = await store.get("tasks", id);
  const last = el("div", { class: "last", "aria-live": "assertive" });
  const list = el("div", { class: "list", role: "list" });
  const quick = el("div", { class: "quick" });
  let busy = false;
  // One deed at a time: a count is read, changed and saved before the next may read it.
  const alone = (deed) => async (...values) => {
    while (busy) await new Promise((resolve) => setTimeout(resolve, 5));
    busy = true;
    try {
      await deed(...values);
    } finally {
      busy = false;
    }
  };

  async function book(line, quantity) {
    const next = structuredClone(task);
    const mine = next.lines.find((one) => one.sku === line.sku);
    mine.have += quantity;
    const event = {
      id: store.newId(),
      kind: "receive",
      person: app.person.name,
      label: { key: "phone.event_receive", name: line.name, n: quantity },
      body: { location: app.place, transfer_id: id, sku: line.sku, quantity },
    };
    next.scans = [...(next.scans ?? []), { event: event.id, sku: line.sku, quantity }].slice(-200);
    try {
      await outbox.add(event, (tasks) => tasks.put(next));
    } catch {
      tell("wrong");
      notice(last, "wrong", say("phone.not_saved"));
      return;
    }
    task = next;
    const over = mine.have > mine.want;
    tell(over ? "asks" : "good");
    notice(last, over ? "amber" : "good", say("phone.scanned", { name: line.name, n: quantity }), progress(mine));
    draw(mine.sku);
  }

  const add = alone(async (line, quantity) => {
    const mine = task.lines.find((one) => one.sku === line.sku);
    const more = mine.have + quantity;
    if (more > mine.want && !mine.overAccepted) {
      tell("asks");
      const text = say("phone.over_ask", { name: mine.name, want: mine.want });
      if (!(await ask(text, say("phone.over_yes"), say("phone.over_no")))) return;
      // It asks once for a line, then believes.
      task.lines.find((one) => one.sku === line.sku).overAccepted = true;
    }
    await book(mine, quantity);
  });

  const undo = alone(async () => {
    const scans = task.scans ?? [];
    const taken = scans.at(-1);
    if (!taken) return notice(last, "amber", say("phone.nothing_to_undo"));
    const next = structuredClone(task);
    next.scans.pop();
    const line = next.lines.find((one) => one.sku === taken.sku);
    line.have -= taken.quantity;
    if (!(await outbox.withdraw(taken.event, (tasks) => tasks.put(next)))) {
      const event = {
        kind: "undo",
        person: app.person.name,
        label: { key: "phone.event_undo", name: line.name, n: taken.quantity },
        body: { location: app.place, of: taken.event },
      };
      await outbox.add(event, (tasks) => tasks.put(next));
    }
    task = next;
    tell("asks");
    notice(last, "amber", say("phone.undone", { name: line.name, n: taken.quantity }), progress(line));
    draw(line.sku);
  });

  const take = async (code, raw) => {
    const known = await lookUp(code);
    if (!known) {
      tell("wrong");
      const key = code.kind === "bad" ? "phone.bad_digit" : "phone.unknown_code";
      return notice(last, "wrong", say(key, { code: raw }));
    }
    const line = task.lines.find((one) => one.sku === known.sku);
    if (!line) {
      tell("wrong");
      return notice(last, "wrong", say("phone.not_in_delivery", { name: known.name }));
    }
    return add(line, code.times);
  };

  const finish = alone(async () => {
    const missing = task.lines.reduce((sum, line) => sum + Math.max(line.want - line.have, 0), 0);
    if (missing > 0) {
      const text = say("phone.finish_short", { n: missing });
      if (!(await ask(text, say("phone.finish_yes"), say("phone.finish_no")))) return;
    }
    const next = { ...task, finished: true };
    if (missing > 0) {
      const event = {
        kind: outbox.FINISH,
        person: app.person.name,
        label: { key: "phone.event_finish", id },
        body: { transfer_id: id },
      };
      await outbox.add(event, (tasks) => tasks.put(next));
    } else {
      // The service closes a complete delivery by itself.
      await store.put("tasks", next);
    }
    tell("good");
    app.home(say("phone.received", { id }));
  });

  function progress(line) {
    const key = line.have > line.want ? "phone.over" : "phone.of";
    return say(key, { have: line.have, want: line.want });
  }

  function draw(touched) {
    const order = [...task.lines].sort(
      (a, b) => (b.sku === touched) - (a.sku === touched) || done(a) - done(b) || a.name.localeCompare(b.name),
    );
    list.replaceChildren(...order.map(row));
    const line = task.lines.find((one) => one.sku === touched);
    quick.replaceChildren();
    if (!line) return;
    const rest = line.want - line.have;
    if (line.pack > 1 && line.pack < rest) quick.append(button(say("phone.whole_case", { n: line.pack }), () => add(line, line.pack), "plain"));
    if (rest > 1) quick.append(button(say("phone.rest", { n: rest }), () => add(line, rest), "plain"));
  }

  function row(line) {
    const state = line.have > line.want ? "over" : done(line) ? "done" : "";
    const bar = el("i", { class: "bar", style: `width:${Math.min((line.have / line.want) * 100, 100)}%` });
    return el(
      "div",
      { class: `line ${state}`, role: "listitem", "data-sku": line.sku },
      el("span", { class: "name" }, line.name),
      el("span", { class: "number" }, (state === "done" ? "✓ " : "") + progress(line)),
      bar,
    );
  }

  draw();
  return {
    title: say("phone.receive"),
    subtitle: say("phone.delivery", { id, n: task.lines.length }),
    body: [scanner(take), last, quick, list],
    foot: [button(say("phone.undo"), undo, "plain"), button(say("phone.finish_receive"), finish, "go")],
    back: () => app.show(() => choose(app)),
  };
}

function done(line) {
  return line.have >= line.want;
}
