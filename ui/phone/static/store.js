// IndexedDB: what the phone knows and what it still has to send.

const NAME = "storetwin";
const STORES = {
  outbox: { keyPath: "id" },
  attention: { keyPath: "id" },
  tasks: { keyPath: "id" },
  skus: { keyPath: "gtin" },
  meta: { keyPath: "key" },
};
let opened;

function open() {
  opened ??= new Promise((resolve, reject) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => {
      for (const [name, options] of Object.entries(STORES)) {
        asked.result.createObjectStore(name, options);
      }
    };
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
  return opened;
}

function answer(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

// One transaction over `names`; resolves when it is on the disk, not before.
export async function write(names, work) {
  const db = await open();
  return new Promise((resolve, reject) => {
    const deal = db.transaction(names, "readwrite", { durability: "strict" });
    let result;
    deal.oncomplete = () => resolve(result);
    deal.onabort = () => reject(deal.error ?? new Error("aborted"));
    deal.onerror = () => reject(deal.error);
    result = work(...names.map((name) => deal.objectStore(name)));
  });
}

export async function all(name) {
  const db = await open();
  return answer(db.transaction(name).objectStore(name).getAll());
}

export async function get(name, key) {
  const db = await open();
  return answer(db.transaction(name).objectStore(name).get(key));
}

export async function size(name) {
  const db = await open();
  return answer(db.transaction(name).objectStore(name).count());
}

export async function put(name, row) {
  return write([name], (rows) => void rows.put(row));
}

export async function replaceAll(name, rows) {
  return write([name], (kept) => {
    kept.clear();
    for (const row of rows) kept.put(row);
  });
}

export async function recall(key) {
  return (await get("meta", key))?.value;
}

export async function keep(key, value) {
  return put("meta", { key, value });
}

export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  // Over plain HTTP on a shop's own network there is no randomUUID.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [0, 8, 12, 16, 20].map((at, i, all) => hex.slice(at, all[i + 1] ?? 32)).join("-");
}
