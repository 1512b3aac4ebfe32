"""Nothing in a model file runs: what could is refused by name in one line, before the engine opens the file."""

import json
import shutil
import zipfile

import numpy as np
import pytest

from fer_keras.formats import ENGINES
from fer_keras.runtimes.runtime import load_runtime

FACES = np.zeros((1, 32, 32, 3), np.uint8)


def refusal(path, engine=None) -> str:
    with pytest.raises(ValueError) as error:
        load_runtime(path, engine)
    text = str(error.value)
    assert "\n" not in text and str(path) in text and len(text) < 600
    return text


def save(folder, function, **parts):
    """Write a SavedModel whose signature computes valence by a function of the image."""
    import tensorflow as tf

    module = tf.Module()
    for name, part in parts.items():
        setattr(module, name, part)
    module.f = tf.function(lambda image: {"valence": function(image)})
    signature = module.f.get_concrete_function(tf.TensorSpec((None, 32, 32, 3), tf.float32, name="image"))
    tf.saved_model.save(module, str(folder), signatures=signature)
    return folder


def mean(image):
    import tensorflow as tf

    return tf.reduce_mean(image, (1, 2, 3))[:, None]


def saved_model_attacks(folder):
    """Yield the operation that is to be named and a function that hides it."""
    import tensorflow as tf

    proof = str(folder / "proof")

    def write_raw(image):
        tf.raw_ops.Save(filename=proof, tensor_names=["x"], data=[tf.constant(1.0)])
        return mean(image)

    def write_v2(image):
        tf.raw_ops.SaveV2(prefix=proof, tensor_names=["x"], shape_and_slices=[""], tensors=[tf.constant(1.0)])
        return mean(image)

    def print_to_file(image):
        tf.print("x", output_stream=f"file://{proof}")
        return mean(image)

    def in_a_branch(image):
        def branch():
            tf.io.write_file(proof, "x")
            return mean(image)

        return tf.cond(tf.reduce_sum(image) > -1, branch, lambda: mean(image))

    def in_a_loop(image):
        def body(count, value):
            return count + 1, value + tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)

        return mean(image) + tf.while_loop(lambda count, value: count < 1, body, (0, 0.0))[1]

    def in_a_map(image):
        return tf.map_fn(lambda face: tf.py_function(lambda: 1.0, [], tf.float32) + mean(face[None])[0], image)

    yield "Save", write_raw
    yield "SaveV2", write_v2
    yield "PrintV2", print_to_file
    yield "WriteFile", in_a_branch
    yield "ReadFile", in_a_loop
    yield "EagerPyFunc", in_a_map


def test_a_saved_model_with_operations_that_reach_out_is_refused_by_their_names(tmp_path):
    for name, function in saved_model_attacks(tmp_path):
        text = refusal(save(tmp_path / name, function))
        assert "is refused" in text and name in text
    assert not list(tmp_path.glob("proof*"))


def test_a_saved_model_of_maths_and_control_flow_runs(tmp_path):
    import tensorflow as tf

    def function(image):
        value = tf.while_loop(lambda count, value: count < 3, lambda count, value: (count + 1, value * 0.5), (0, 8.0))[
            1
        ]
        return tf.cond(value > 0.5, lambda: mean(image) + value, lambda: mean(image))

    assert load_runtime(save(tmp_path / "model", function)).run(FACES)["valence"].tolist() == [[1.0]]


def test_a_saved_model_that_reads_a_file_when_it_is_loaded_is_refused(tmp_path):
    import tensorflow as tf

    (tmp_path / "words.txt").write_text("a\nb\n")
    words = tf.lookup.TextFileInitializer(
        str(tmp_path / "words.txt"), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, -1
    )
    table = tf.lookup.StaticHashTable(words, -1)
    folder = save(
        tmp_path / "model", lambda image: mean(image) + tf.cast(table.lookup(tf.constant("a")), tf.float32), table=table
    )
    assert "reads files when it is loaded (asset, resource)" in refusal(folder)


def test_another_form_of_the_same_saved_model_is_not_read_in_its_place(model_files, tmp_path):
    for name in ("saved_model.cpb", "saved_model.pbtxt"):
        folder = tmp_path / name.replace(".", "-")
        shutil.copytree(model_files / "saved_model", folder)
        (folder / name).write_bytes(b"")
        assert name in refusal(folder)


def test_every_listed_operation_exists_and_none_of_them_reaches_out():
    from tensorflow.python.framework import op_def_registry

    from fer_keras.runtimes.saved_model_check import ALLOWED, SAVER

    unknown = [name for name in ALLOWED | SAVER if op_def_registry.get(name) is None]
    assert not unknown
    words = (
        "File",
        "Print",
        "Py",
        "Save",
        "Restore",
        "Dataset",
        "Summary",
        "Recv",
        "Send",
        "Iterator",
        "Reader",
        "Host",
    )
    assert not [name for name in ALLOWED if any(word in name for word in words)]


@pytest.mark.slow
@pytest.mark.parametrize("image_size", [64])
def test_every_backbone_s_saved_model_is_accepted(tmp_path, image_size):
    from fer_keras.exporters.saved_model import BYTES, FACES, FACES_UINT8, write_saved_model
    from fer_keras.models.backbones import BACKBONES
    from fer_keras.models.build import build_model
    from fer_keras.runtimes.saved_model_check import check_saved_model

    for name in BACKBONES:
        write_saved_model(build_model(name, image_size), tmp_path / name, (FACES, FACES_UINT8, BYTES))
        check_saved_model(tmp_path / name)


def edited_onnx(source, target, edit):
    import onnx

    model = onnx.load(source)
    edit(model, onnx)
    target.write_bytes(model.SerializeToString())
    return target


def test_an_onnx_file_whose_weights_lie_elsewhere_is_refused(model_files, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(4000))

    def move_weights(model, onnx):
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="../secret")

    def move_constant(model, onnx):
        tensor = onnx.TensorProto(data_type=1, dims=[1], name="c", data_location=onnx.TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value="/etc/passwd")
        inner = onnx.helper.make_graph([onnx.helper.make_node("Constant", [], ["c"], value=tensor)], "g", [], [])
        model.graph.node.append(onnx.helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner))

    for number, edit in enumerate((move_weights, move_constant)):
        path = edited_onnx(model_files / "model.onnx", tmp_path / f"model{number}.onnx", edit)
        for engine in ["onnx"] + ["openvino"] * ENGINES["openvino"].installed:
            assert "its weights lie in other files" in refusal(path, engine)


def test_custom_operators_of_onnx_are_refused_by_name(model_files, tmp_path):
    def add(domain, name):
        return lambda model, onnx: model.graph.node.append(onnx.helper.make_node(name, [], ["z"], domain=domain))

    for domain, name in (("evil", "Run"), ("com.microsoft", "EPContext")):
        path = edited_onnx(model_files / "model.onnx", tmp_path / f"{name}.onnx", add(domain, name))
        assert f"custom operators ({domain}.{name})" in refusal(path)


def test_custom_operators_of_tensorflow_lite_are_refused_by_name(tmp_path):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((1, 32, 32, 3), tf.float32)])
    def forward(image):
        return {"valence": tf.math.bessel_i0e(tf.reduce_mean(image, (1, 2, 3))[:, None])}

    converter = tf.lite.TFLiteConverter.from_concrete_functions([forward.get_concrete_function()], forward)
    converter.allow_custom_ops = True
    (tmp_path / "model.tflite").write_bytes(converter.convert())
    assert "custom operators (BesselI0e)" in refusal(tmp_path / "model.tflite")


def test_a_torch_program_with_foreign_operators_sizes_or_names_is_refused(tmp_path):
    pytest.importorskip("torch")
    graph = {"graph": {"nodes": [{"target": "torch.ops.aten.tanh.default"}]}, "guards_code": []}
    attacks = {
        "torch.os.system": {**graph, "nodes": [{"target": "torch.os.system"}]},
        "eval(chr(49))": {**graph, "size": {"expr_str": "eval(chr(49))"}},
        "x=__import__": {**graph, "inputs": [{"as_tensor": {"name": "x=__import__('os')"}}]},
        "guards_code": {**graph, "guards_code": ["__import__('os')"]},
    }
    for found, program in attacks.items():
        with zipfile.ZipFile(tmp_path / "model.pt2", "w") as archive:
            archive.writestr("model/models/model.json", json.dumps(program))
        text = refusal(tmp_path / "model.pt2")
        assert "brings code of its own" in text and found in text
