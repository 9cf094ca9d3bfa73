// Offline reload: the shell and its files are kept; data never is, it lives in IndexedDB.

const VERSION = "{{ version }}";
const FILES = {{ files }};
const FONT = "/assets/inter.woff2";

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(VERSION)
      .then(async (cache) => {
        await cache.addAll(FILES.map((file) => new Request(file, { cache: "reload" })));
        // Without the font the phone's own one does.
        await cache.add(FONT).catch(() => {});
      })
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== VERSION).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const { pathname } = new URL(event.request.url);
  if (event.request.method !== "GET") return;
  if (event.request.mode === "navigate" && pathname === "/m/") {
    // Fresh where there is a connection, so that a log-in is asked for when it ran out.
    event.respondWith(fetch(event.request).catch(() => caches.match("/m/")));
  } else if (FILES.includes(pathname) || pathname === FONT) {
    event.respondWith(caches.match(pathname).then((kept) => kept ?? fetch(event.request)));
  }
});
