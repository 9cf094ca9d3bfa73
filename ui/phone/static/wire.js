// The service's interface, as this app uses it. Nothing else knows an address.

import { current } from "./words.js";

const API = "/api/v1";
// A form on another site can send our cookie, but never this header.
const HEADERS = {
  "Content-Type": "application/json",
  Accept: "application/json",
  "X-Requested-With": "storetwin",
};
const FINAL = new Set(["created", "duplicate", "parked"]);

export class LoggedOut extends Error {}
export class NotRecorded extends Error {}

async function ask(path, options = {}, more = {}) {
  let reply;
  try {
    reply = await fetch(API + path, {
      credentials: "same-origin",
      headers: { ...HEADERS, "Accept-Language": current(), ...more },
      ...options,
    });
  } catch {
    throw new NotRecorded("offline");
  }
  if (reply.status === 401) throw new LoggedOut("logged out");
  // 429 and 503 always mean: not recorded, ask again later.
  if (reply.status === 429 || reply.status >= 500) throw new NotRecorded(String(reply.status));
  return reply;
}

export async function read(path) {
  const reply = await ask(path);
  if (!reply.ok) throw new NotRecorded(String(reply.status));
  return reply.json();
}

// Every SKU with its codes, page by page, as rows keyed by GTIN (or by id without one).
export async function allSkus() {
  const rows = [];
  let after = "";
  for (;;) {
    const page = await read(`/skus?limit=1000&after=${encodeURIComponent(after)}`);
    for (const sku of page.skus) {
      const known = { sku: sku.id, name: sku.name, pack: sku.pack_size };
      for (const gtin of sku.gtins?.length ? sku.gtins : [sku.id]) rows.push({ gtin, ...known });
    }
    if (!page.next) return rows;
    after = page.next;
  }
}

export async function shippedTo(location) {
  const place = encodeURIComponent(location);
  const open = [];
  for (const state of ["shipped", "partially_received"]) {
    const answer = await read(`/transfers?destination=${place}&state=${state}&limit=200`);
    open.push(...answer.transfers);
  }
  return open;
}

export async function stockOf(location, sku) {
  const answer = await read(
    `/stock?location=${encodeURIComponent(location)}&sku=${encodeURIComponent(sku)}`,
  );
  return answer.rows.reduce((sum, row) => sum + row.on_hand, 0);
}

// The answers of a batch: {id: {done, status, detail, answer}}.
export async function send(events) {
  const sent = { sent_at: new Date().toISOString(), events: events.map(wire) };
  const reply = await ask("/events:batch", { method: "POST", body: JSON.stringify(sent) });
  const body = await reply.json();
  const out = {};
  if (!reply.ok) {
    // The batch as a whole was refused: only one alone can be told to be the cause.
    for (const event of events) {
      out[event.id] = { done: events.length === 1, status: "refused", detail: words(body) };
    }
    return out;
  }
  for (const event of events) out[event.id] = { done: true, status: "created" };
  for (const line of body.lines) {
    const event = events[line.row];
    if (event === undefined) continue;
    const done = FINAL.has(line.status) || !line.retryable;
    out[event.id] = { done, status: line.status, detail: words(line), answer: line.answer };
  }
  return out;
}

// Nothing more will come of this delivery: what is missing becomes a task at both ends.
export async function finish(event) {
  const path = `/transfers/${encodeURIComponent(event.body.transfer_id)}:receive`;
  const body = JSON.stringify({ lines: [], ends: true });
  const reply = await ask(path, { method: "POST", body }, { "Idempotency-Key": event.id });
  const status = reply.ok ? "created" : "refused";
  return { [event.id]: { done: true, status, detail: words(await reply.json()) } };
}

function words(problem) {
  return [problem.detail, problem.remedy].filter(Boolean).join(" ");
}

function wire(event) {
  return {
    event_id: event.id,
    kind: event.kind,
    occurred_at: event.at,
    device: event.device,
    sequence: event.sequence,
    ...event.body,
  };
}
