"""Run a model file in an environment that has no fer_keras, compare with saved answers, and time it.

  python run_model.py ENGINE MODEL FOLDER

ENGINE: keras, tf_keras, saved_model, litert or onnx. FOLDER holds `faces.bin` (uint8 RGB faces) and `reference.json`
({"shape": [n, height, width, 3], "outputs": {name: [[...]]}}). Prints one line of JSON. Uses NumPy and the engine only,
in whatever versions an environment has.
"""

import importlib.util
import json
import os
import statistics
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # fer_keras, which sets it elsewhere, is not installed here

import numpy as np  # noqa: E402  after the variables that the engines read

SECONDS, MOST = 3.0, 50


def load_keras(path, module="keras"):
    keras = importlib.import_module(module)
    model = keras.models.load_model(path)
    version = keras.__version__
    return version, lambda faces: model.predict_on_batch(faces.astype("float32"))


def load_tf_keras(path):
    return load_keras(path, "tf_keras")


def load_saved_model(path):
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    signature = loaded.signatures["serving_default"]

    def run(faces, keep=loaded):  # the signature lives as long as what was loaded
        found = signature(image=tf.constant(faces.astype("float32")))
        return {name: values.numpy() for name, values in found.items()}

    return tf.__version__, run


def load_litert(path):
    from importlib import metadata

    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path, num_threads=os.cpu_count())
    dtype = interpreter.get_input_details()[0]["dtype"]
    runner = interpreter.get_signature_runner()
    return metadata.version("ai-edge-litert"), lambda faces: runner(image=faces.astype(dtype))


def load_onnx(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return onnxruntime.__version__, lambda faces: dict(
        zip(names, session.run(names, {"image": faces.astype("float32")}))  # noqa: B905  runs on any Python
    )


def milliseconds(run, faces):
    """Return the median time of a call."""
    run(faces)
    times, started = [], time.perf_counter()
    while len(times) < 3 or (time.perf_counter() - started < SECONDS and len(times) < MOST):
        before = time.perf_counter()
        run(faces)
        times.append(time.perf_counter() - before)
    return 1000 * statistics.median(times)


def main():
    engine, path, folder = sys.argv[1:4]
    assert importlib.util.find_spec("fer_keras") is None, "fer_keras is installed here; the proof needs it absent"
    with open(os.path.join(folder, "reference.json")) as file:
        reference = json.load(file)
    faces = np.fromfile(os.path.join(folder, "faces.bin"), np.uint8).reshape(reference["shape"])
    version, run = globals()["load_" + engine](path)
    found = run(faces)
    expected = {name: np.array(values, np.float32) for name, values in reference["outputs"].items()}
    assert set(found) == set(expected), sorted(found)
    result = {
        "version": version,
        "difference": max(float(np.abs(expected[name] - found[name]).max()) for name in expected),
        "top_class": float(np.mean(expected["emotion"].argmax(1) == np.asarray(found["emotion"]).argmax(1))),
        "ms_1": milliseconds(run, faces[:1]),
        "ms_16": milliseconds(run, faces[:16]),
    }
    print("RESULT " + json.dumps(result))


if __name__ == "__main__":
    main()
