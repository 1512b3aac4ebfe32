// Keeps the page for use offline. Its address carries the stamp of page.json, so a new export replaces the old files.
//
// Every answer also gets the headers that let the browser use threads, and the page's own Content-Security-Policy, which
// then holds for workers too: a static host needs no settings.

const STAMP = new URL(self.location.href).searchParams.get("stamp");
const CACHE = `fer-keras-${self.registration.scope}-${STAMP}`;
const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; style-src 'self'; " +
  "img-src 'self' blob:; media-src 'self' blob: mediastream:; worker-src 'self'; manifest-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

self.addEventListener("install", (event) => event.waitUntil(keepAll().then(() => self.skipWaiting())));
self.addEventListener("activate", (event) => event.waitUntil(removeOld().then(() => self.clients.claim())));
self.addEventListener("fetch", (event) => {
  const here = event.request.url.startsWith(self.registration.scope);
  if (event.request.method === "GET" && here) event.respondWith(answer(event.request));
});

async function keepAll() {
  const cache = await caches.open(CACHE);
  const facts = await (await fetch("page.json", { cache: "no-cache" })).json();
  await cache.addAll(["./", "page.json", ...facts.files].map((name) => new Request(name, { cache: "no-cache" })));
}

async function removeOld() {
  const own = `fer-keras-${self.registration.scope}-`;
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(own) && name !== CACHE).map((name) => caches.delete(name)));
}

/** Answer from the network for page.json, which tells of a new export, and from the cache for all else. */
async function answer(request) {
  const cache = await caches.open(CACHE);
  const fresh = new URL(request.url).pathname.endsWith("/page.json");
  if (fresh) {
    try {
      return isolated(await fetch(request));
    } catch {
      // offline: what was kept
    }
  }
  const kept = await cache.match(request, { ignoreSearch: true });
  if (kept) return isolated(kept);
  const found = await fetch(request);
  if (found.ok) await cache.put(request, found.clone());
  return isolated(found);
}

function isolated(response) {
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Content-Security-Policy", POLICY);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
