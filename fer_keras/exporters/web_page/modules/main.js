// The page: loads the model and joins sources, reader and what is shown.

import { App } from "./app.js";
import { FaceReader } from "./reader.js";

const byId = (id) => document.getElementById(id);

async function start() {
  const answer = await fetch("page.json", { cache: "no-cache" });
  const facts = await answer.json();
  keepForOffline(facts.stamp);
  const wanted = new URLSearchParams(location.search).get("engine") ?? "auto";
  const reader = await FaceReader.load(facts, wanted);
  new App(facts, reader, byId).start();
}

/** Let the service worker keep the page; it works without, where the browser or the address has none. */
async function keepForOffline(stamp) {
  try {
    const registration = await navigator.serviceWorker?.register(`service_worker.js?stamp=${stamp}`);
    if (registration) await navigator.serviceWorker.ready;
    byId("page").dataset.kept = String(Boolean(registration));
  } catch (error) {
    console.warn("The page is not kept for use offline:", error);
  }
}

start().catch((error) => {
  console.error(error);
  byId("page").dataset.state = "failed";
  for (const id of ["status", "speech"]) byId(id).textContent = `The page cannot start: ${error.message}`;
});
