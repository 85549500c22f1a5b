// Without network: the last sight of today's pages, and a page that says so. Nothing of a person stays after sign-out.
"use strict";

const FILES = "files-{{ version }}";
const PAGES = "pages";
const SHELL = {{ files | tojson }};
const KEPT = [/^\/lavoro$/, /^\/lavoro\/presenze\/[^/]+$/, /^\/oggi$/, /^\/calendario$/];
const WHO = [/^\/esci$/, /^\/entra/, /^\/demo\/entra/];

self.addEventListener("install", (event) => {
  self.skipWaiting();
  const shell = SHELL.map((path) => new Request(path, { credentials: "omit" })); // nobody's: it outlives a sign-out
  event.waitUntil(caches.open(FILES).then((cache) => cache.addAll(shell)));
});

self.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith("files-") && name !== FILES;
  event.waitUntil(
    caches.keys().then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name)))).then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const address = new URL(event.request.url);
  if (address.origin !== location.origin) return;
  if (event.request.method === "POST") {
    if (WHO.some((path) => path.test(address.pathname))) event.waitUntil(caches.delete(PAGES));
    return;
  }
  if (event.request.method !== "GET") return;
  if (address.pathname.startsWith("/assets/")) event.respondWith(caches.match(event.request).then((found) => found ?? fetch(event.request)));
  else if (event.request.mode === "navigate") event.respondWith(page(event, address));
});

async function page(event, address) {
  const kept = KEPT.some((path) => path.test(address.pathname));
  try {
    const answer = await fetch(event.request);
    if (kept && answer.ok && !answer.redirected) {
      const copy = answer.clone();
      event.waitUntil(caches.open(PAGES).then((cache) => cache.put(event.request, copy)));
    }
    return answer;
  } catch {
    const seen = kept && (await (await caches.open(PAGES)).match(event.request, { ignoreVary: true }));
    return seen ? asOf(seen) : caches.match("/senza-rete");
  }
}

// The kept page says of when it is: the layout's script reads it and shows the words.
async function asOf(seen) {
  const words = await seen.text();
  const headers = new Headers({ "Content-Type": "text/html; charset=utf-8" });
  for (const name of ["Content-Security-Policy", "Referrer-Policy"]) {
    if (seen.headers.has(name)) headers.set(name, seen.headers.get(name));
  }
  const date = new Date(seen.headers.get("Date") ?? Date.now()).toISOString();
  return new Response(words.replace("<html ", `<html data-seen="${date}" `), { headers });
}
