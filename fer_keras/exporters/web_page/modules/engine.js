// ONNX Runtime in the browser: WebGPU where there is a device, otherwise WebAssembly, with threads where the page may.

const MOST_THREADS = 4;
/** Idle threads sleep instead of waiting in a loop, which would take the cores from the camera and the page itself. */
const SLEEPING = { session: { intra_op: { allow_spinning: "0" } } };

/**
 * Load the runtime.
 *
 * @param {{folder: string}} runtime of page.json.
 * @param {string} wanted auto, webgpu or wasm.
 * @returns {Promise<{name: string, open: function(string, boolean): Promise<Object>, tensor: function}>}
 */
export async function loadEngine(runtime, wanted) {
  if (wanted !== "wasm" && (await hasDevice())) {
    try {
      return await engineOf(runtime, "ort.webgpu.min.mjs", "webgpu");
    } catch (error) {
      console.warn("WebGPU cannot be used, WebAssembly takes its place:", error);
    }
  }
  return engineOf(runtime, "ort.wasm.min.mjs", "wasm");
}

async function hasDevice() {
  try {
    return Boolean(await navigator.gpu?.requestAdapter());
  } catch {
    return false;
  }
}

async function engineOf(runtime, file, provider) {
  const folder = new URL(`${runtime.folder}/`, document.baseURI).href;
  const ort = await import(folder + file);
  const half = Math.max(1, Math.floor((navigator.hardwareConcurrency || 1) / 2)); // the page and the camera need cores too
  const threads = self.crossOriginIsolated ? Math.min(MOST_THREADS, half) : 1;
  ort.env.wasm.wasmPaths = folder;
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
  const providers = (small) => (provider === "webgpu" && !small ? ["webgpu", "wasm"] : ["wasm"]);
  return {
    name: provider === "webgpu" ? "WebGPU" : `WebAssembly, ${threads} thread${threads === 1 ? "" : "s"}`,
    /** Open a model; a small one always runs in WebAssembly, where a call costs less. */
    open: async (url, small = false) =>
      ort.InferenceSession.create(await bytesOf(url), { executionProviders: providers(small), extra: SLEEPING }),
    tensor: (values, shape) => new ort.Tensor("float32", values, shape),
  };
}

async function bytesOf(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url} could not be loaded: ${answer.status}.`);
  return new Uint8Array(await answer.arrayBuffer());
}
