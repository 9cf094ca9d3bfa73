// The phone's screens and what stands on each of them.

import { button, el } from "./dom.js";
import * as outbox from "./outbox.js";
import * as store from "./store.js";
import * as words from "./words.js";
import { allSkus, LoggedOut, shippedTo } from "./wire.js";
import { choose } from "./receive.js";
import { count } from "./count.js";
import { what } from "./what.js";

const { say } = words;
const REFRESH_MS = 60_000;
const root = document.getElementById("app");
const app = { person: null, place: "", demoOffset: null, show, home };
let current = menu;
let message = "";

async function show(screen) {
  current = screen;
  await draw();
}

async function home(text = "") {
  message = typeof text === "string" ? text : "";
  await show(menu);
}

async function draw() {
  const made = await current();
  const foot = el("footer", {}, el("p", { class: "queue", role: "status" }), el("div", { class: "deeds" }, ...(made.foot ?? [])));
  root.replaceChildren(bar(made), banner(), el("main", {}, ...made.body), foot);
  paint(outbox.state);
  document.body.dataset.ready = "1";
}

function bar(made) {
  const left = made.back ? button("‹", () => made.back(), "icon") : null;
  left?.setAttribute("aria-label", say("phone.back"));
  const other = words.current() === "zh" ? "EN" : "中文";
  const theme = words.theme() === "dark" ? "phone.to_light" : "phone.to_dark";
  return el(
    "header",
    {},
    left,
    el(
      "div",
      { class: "title" },
      el("h1", {}, made.title),
      el("small", {}, made.subtitle ?? ""),
      el("small", { class: "clock" }, demoTime()),
    ),
    button(other, () => (words.switchLanguage(), draw()), "switch"),
    button(say(theme), () => (words.switchTheme(), draw()), "switch"),
  );
}

// In a demo the service's clock is not the phone's; the difference is kept for offline hours.
function demoTime() {
  if (app.demoOffset === null) return "";
  const moment = new Date(Date.now() + app.demoOffset).toISOString();
  return say("phone.demo_time", { moment: `${moment.slice(5, 10)} ${moment.slice(11, 16)}` });
}

function banner() {
  return el("div", { class: "banner", hidden: "" });
}

function paint(state) {
  const queue = root.querySelector(".queue");
  if (queue) {
    queue.textContent = state.waiting ? say("phone.waiting", { n: state.waiting }) : `✓ ${say("phone.all_sent")}`;
    queue.dataset.waiting = state.waiting;
    queue.classList.toggle("some", state.waiting > 0);
  }
  const strip = root.querySelector(".banner");
  if (strip) {
    strip.hidden = state.online && !state.loggedOut;
    strip.replaceChildren(say(state.loggedOut ? "phone.logged_out" : "phone.offline"));
    if (state.loggedOut) strip.append(el("a", { href: "/login?next=/m/" }, say("phone.log_in")));
  }
  const list = root.querySelector("[data-attention]");
  if (list) {
    list.hidden = state.attention === 0;
    list.textContent = `! ${say("phone.attention", { n: state.attention })}`;
  }
}

async function menu() {
  const tile = (key, screen) => {
    const made = button("", () => show(() => screen(app)), "tile");
    made.dataset.task = key;
    made.append(el("strong", {}, say(`phone.${key}`)), el("small", {}, say(`phone.${key}_hint`)));
    return made;
  };
  const told = message ? el("p", { class: "told", role: "status" }, `✓ ${message}`) : null;
  message = "";
  const attention = button("", () => show(needsAttention), "attention");
  attention.dataset.attention = "";
  attention.hidden = true;
  const demo = root.dataset.emulated ? el("p", { class: "label" }, say("phone.demo")) : null;
  return {
    title: say("phone.choose"),
    subtitle: `${app.person.shown} · ${app.place}`,
    body: [
      told,
      tile("receive", choose),
      tile("count", count),
      tile("what", what),
      attention,
      demo,
      button(say("phone.log_out"), logOut, "plain"),
    ],
  };
}

async function needsAttention() {
  const rows = await store.all("attention");
  const again = (deed) => async () => {
    await deed();
    await draw();
  };
  return {
    title: say("phone.attention", { n: rows.length }),
    subtitle: say("phone.attention_hint"),
    body: rows.map((event) =>
      el(
        "div",
        { class: "card" },
        el("strong", {}, say(event.label.key, event.label)),
        el("p", {}, event.detail ?? ""),
        button(say("phone.retry"), again(() => outbox.retry(event.id)), "plain"),
        button(say("phone.give_up"), again(() => outbox.giveUp(event.id)), "plain"),
      ),
    ),
    back: home,
  };
}

async function logOut() {
  const waiting = await store.size("outbox");
  // Whoever logs out with scans waiting would leave them to nobody.
  if (waiting > 0) return outbox.soon(0), home(say("phone.log_out_waiting", { n: waiting }));
  location.href = "/logout";
}

// Master data and deliveries, kept for the next hours without a connection.
async function refresh() {
  const shipped = await shippedTo(app.place);
  if ((await store.size("skus")) === 0 || (await store.recall("skus_day")) !== today()) {
    await store.replaceAll("skus", await allSkus());
    await store.keep("skus_day", today());
  }
  const names = new Map((await store.all("skus")).map((row) => [row.sku, row]));
  const kept = new Map((await store.all("tasks")).map((task) => [task.id, task]));
  await store.write(["tasks"], (tasks) => {
    const open = new Set(shipped.map((transfer) => transfer.id));
    for (const task of kept.values()) {
      if (task.kind === "receive" && !open.has(task.id)) tasks.delete(task.id);
    }
    for (const transfer of shipped) {
      // What was scanned here is newer than what the service knows.
      if (!kept.has(transfer.id)) tasks.put(taskOf(transfer, names));
    }
  });
  await store.keep("loaded", new Date().toISOString());
}

function taskOf(transfer, names) {
  return {
    id: transfer.id,
    kind: "receive",
    origin: transfer.origin,
    scans: [],
    lines: transfer.lines
      .filter((line) => line.shipped > 0)
      .map((line) => ({
        sku: line.sku,
        name: names.get(line.sku)?.name ?? line.sku,
        pack: names.get(line.sku)?.pack ?? 1,
        want: line.shipped - line.closed_short,
        have: line.received_good + line.received_damaged + line.received_over,
      })),
  };
}

function today() {
  return new Date().toISOString().slice(0, 10);
}

async function keepFresh() {
  try {
    await refresh();
    outbox.state.online = true;
    if (current === menu || document.activeElement?.id !== "code") await draw();
  } catch (problem) {
    if (problem instanceof LoggedOut) outbox.state.loggedOut = true;
  }
  paint(outbox.state);
  setTimeout(keepFresh, REFRESH_MS);
}

async function who() {
  try {
    const reply = await fetch("/m/me.json", { credentials: "same-origin" });
    if (reply.ok) {
      const me = await reply.json();
      const offset = me.demo_now ? Date.parse(`${me.demo_now}Z`) - Date.now() : null;
      await store.keep("person", me);
      await store.keep("demo_offset", offset);
      return me;
    }
  } catch {
    // Offline: the person of the last visit goes on.
  }
  return store.recall("person");
}

window.addEventListener("answered", ({ detail: { event, found } }) => {
  if (event.kind !== "count" || !found.answer?.recount?.length) return;
  message = say("phone.count_again", { names: event.label.name });
  if (current === menu) void draw();
});

async function start() {
  await words.load();
  app.person = await who();
  if (!app.person) return location.replace("/login?next=/m/");
  app.demoOffset = (await store.recall("demo_offset")) ?? null;
  app.place = app.person.locations[0] ?? "";
  outbox.watch(paint);
  outbox.start();
  await draw();
  void keepFresh();
  setInterval(() => {
    const clock = root.querySelector(".clock");
    if (clock) clock.textContent = demoTime();
  }, 10_000);
  navigator.serviceWorker?.register("/m/sw.js", { scope: "/m/" });
}

void start();
