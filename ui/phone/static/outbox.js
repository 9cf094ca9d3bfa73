// What was scanned and is not yet known to have arrived. Saved first, sent after.

import * as store from "./store.js";
import { finish, LoggedOut, NotRecorded, send } from "./wire.js";

const BATCH = 100;
export const FINISH = "finish_receive";
const PAUSES_MS = [1000, 2000, 5000, 15000, 30000];
let running = false;
let failures = 0;
let timer;
const watchers = new Set();
export const state = { waiting: 0, attention: 0, online: navigator.onLine, loggedOut: false };

export function watch(watcher) {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

async function tellAll() {
  state.waiting = await store.size("outbox");
  state.attention = await store.size("attention");
  for (const watcher of watchers) watcher(state);
}

// Resolves when the event is on the phone's disk. `also` saves in the same transaction.
export async function add(event, also = () => {}) {
  const sequence = ((await store.recall("sequence")) ?? 0) + 1;
  const device = (await store.recall("device")) ?? store.newId();
  const row = { ...event, id: event.id ?? store.newId(), at: event.at ?? new Date().toISOString(), device, sequence };
  await store.write(["outbox", "tasks", "meta"], (outbox, tasks, meta) => {
    outbox.put(row);
    meta.put({ key: "sequence", value: sequence });
    meta.put({ key: "device", value: device });
    also(tasks);
  });
  await tellAll();
  soon(0);
  return row;
}

// Takes an event back before it was sent; false when it may already have arrived.
export async function withdraw(id, also = () => {}) {
  const taken = await store.write(["outbox", "tasks"], (outbox, tasks) => {
    const result = { done: false };
    const asked = outbox.get(id);
    asked.onsuccess = () => {
      // A row that was tried once may have arrived although the reply was lost.
      if (!asked.result || asked.result.tried) return;
      result.done = true;
      outbox.delete(id);
      also(tasks);
    };
    return result;
  });
  await tellAll();
  return taken.done;
}

export function soon(delay) {
  clearTimeout(timer);
  timer = setTimeout(flush, delay);
}

export async function flush() {
  if (running) return;
  running = true;
  try {
    while (await sendSome());
    failures = 0;
    state.online = true;
    state.loggedOut = false;
  } catch (problem) {
    if (problem instanceof LoggedOut) state.loggedOut = true;
    else if (problem instanceof NotRecorded) state.online = problem.message !== "offline";
    else throw problem;
    soon(PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)]);
    failures += 1;
  } finally {
    running = false;
    await tellAll();
  }
}

async function sendSome() {
  const me = await store.recall("person");
  const queue = (await store.all("outbox"))
    .filter((event) => event.person === me?.name)
    .sort((a, b) => a.sequence - b.sequence);
  if (queue.length === 0) return false;
  // A finish goes alone, after everything that was scanned before it.
  const end = queue.findIndex((event) => event.kind === FINISH);
  const mine = end === 0 ? queue.slice(0, 1) : queue.slice(0, end > 0 ? Math.min(end, BATCH) : BATCH);
  await store.write(["outbox"], (outbox) => {
    for (const event of mine) outbox.put({ ...event, tried: true });
  });
  const answers = end === 0 ? await finish(mine[0]) : await send(mine);
  const again = mine.some((event) => !answers[event.id].done);
  await store.write(["outbox", "attention"], (outbox, attention) => {
    for (const event of mine) {
      const found = answers[event.id];
      if (!found.done) continue;
      outbox.delete(event.id);
      if (found.status === "refused" || found.status === "conflict") {
        attention.put({ ...event, detail: found.detail });
      }
    }
  });
  for (const event of mine) {
    const found = answers[event.id];
    if (found.done) window.dispatchEvent(new CustomEvent("answered", { detail: { event, found } }));
  }
  await tellAll();
  if (again) throw new NotRecorded("retry");
  return true;
}

export async function retry(id) {
  await store.write(["outbox", "attention"], (outbox, attention) => {
    const asked = attention.get(id);
    asked.onsuccess = () => {
      const { detail, ...event } = asked.result;
      outbox.put(event);
      attention.delete(id);
    };
  });
  await tellAll();
  soon(0);
}

export async function giveUp(id) {
  await store.write(["attention"], (attention) => void attention.delete(id));
  await tellAll();
}

export function start() {
  window.addEventListener("online", () => soon(0));
  window.addEventListener("offline", () => {
    state.online = false;
    void tellAll();
  });
  void tellAll();
  soon(0);
}
