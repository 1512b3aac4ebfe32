"""The modules of the page for labelling, in Node where it is installed: keys, the plane, labels that wait for the server."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from fer_keras.labelling.label_server import _FILES

MODULES = Path(__file__).parents[2] / "fer_keras" / "labelling" / "label_page" / "modules"
NODE = shutil.which("node")

needs_node = pytest.mark.skipif(NODE is None, reason="needs Node")


def test_the_server_knows_every_module_and_each_is_small():
    names = {name for name in _FILES if name.startswith("modules/")}
    assert names == {f"modules/{path.name}" for path in MODULES.glob("*.js")} | {"modules/theme.js"}
    assert all(len(path.read_text(encoding="utf-8").splitlines()) <= 300 for path in MODULES.glob("*.js"))


def run(tmp_path: Path, code: str):
    """Run code as a module beside the page's, and return what it gives to `tell`."""
    (tmp_path / "package.json").write_text('{"type": "module"}')
    shutil.copytree(MODULES, tmp_path, dirs_exist_ok=True)
    (tmp_path / "job.mjs").write_text("const tell = (value) => console.log(JSON.stringify(value));\n" + code)
    done = subprocess.run([NODE, tmp_path / "job.mjs"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_node
def test_keys_and_places_mean_what_the_page_says(tmp_path):
    keys = [{"key": key} for key in ("1", "8", "9", "n", "S", "U", "Backspace", "Enter", "0", "x")]
    keys.append({"key": "1", "ctrlKey": True})
    meant, places = run(
        tmp_path,
        'import { Answer, axesAt, keyMeaning } from "./answer.js";'
        f"tell([{json.dumps(keys)}.map((event) => keyMeaning(event) ?? null),"
        "[axesAt(0.5, 0.25), axesAt(2, -2), axesAt(-0.001, 0)]]);",
    )
    expected = [["emotion", 0], ["emotion", 7], None, ["skip", 0], ["skip", 1], "undo", "undo", "save", "middle"]
    assert meant == [*expected, None, None]
    assert places == [{"valence": 0.5, "arousal": -0.25}, {"valence": 1, "arousal": 1}, {"valence": 0, "arousal": 0}]


@needs_node
def test_labels_wait_until_the_server_has_them_and_nothing_blocks_the_others(tmp_path):
    sent, kept, told, labels = run(
        tmp_path,
        """
        import { Store } from "./store.js";
        globalThis.setTimeout = (work) => queueMicrotask(work); // no pauses
        const answers = [500, 422, 200, 200, 200], sent = [], told = [], storage = new Map();
        globalThis.fetch = async (path, { method }) => {
          const status = answers.shift();
          sent.push(`${method} ${path} ${status}`);
          return { ok: status === 200, status, json: async () => ({ error: "why" }) };
        };
        const keep = { getItem: (key) => storage.get(key) ?? null, setItem: (key, text) => storage.set(key, text) };
        const facts = { id: "x", images: ["a", "b", "c"], labels: [] };
        const store = new Store(facts, (text) => told.push(text), keep);
        store.put({ image: "a", emotion: "sad" });
        store.put({ image: "b", emotion: "fear" });
        store.undo();
        store.put({ image: "c", emotion: "happy" });
        await new Promise((done) => setImmediate(() => setImmediate(done)));
        const again = new Store({ ...facts, labels: [{ image: "c" }] }, () => {}, {
          getItem: () => JSON.stringify([{ image: "b", label: { image: "b" } }]), setItem: () => {} });
        tell([sent, [...storage.values()], told, [[...store.labels.keys()], store.next, [...again.labels.keys()]]]);
        """,
    )
    assert sent == [
        "PUT labels/a 500",
        "PUT labels/a 422",
        "PUT labels/b 200",
        "DELETE labels/b 200",
        "PUT labels/c 200",
    ]
    assert kept == ["[]"] and "Not saved yet: why" in told[0] and "Refused" in told[1] and told[-1] == ""
    assert labels == [["a", "c"], "b", ["c", "b"]]
