// The page for labelling: asks the server what is labelled already, and starts.

import { App } from "./app.js";
import { Store } from "./store.js";

const byId = (id) => document.getElementById(id);

async function start() {
  const store = await Store.load((text) => showProblem(text));
  new App(store, byId).start();
}

/** Show what stands between a label and the disk, or nothing. */
function showProblem(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = !text;
}

start().catch((error) => {
  console.error(error);
  byId("page").dataset.state = "failed";
  byId("status").textContent = "The page cannot start";
  showProblem(`The page cannot start: ${error.message}`);
});
