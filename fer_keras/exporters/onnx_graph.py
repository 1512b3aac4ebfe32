"""ONNX files, for ONNX Runtime in any language: float32 through tf2onnx, the same with its weights stored in float16, int8
through ONNX Runtime's static quantisation.

Input `image` (batch, height, width, 3) float32, RGB 0..255, any batch size; outputs by name. Labels, input range and
licence are in the file's `metadata_props`.
"""

from pathlib import Path

from fer_keras.quiet import quiet

#: ONNX operator set of every file: ONNX Runtime reads it since 1.14 (2023); tf2onnx writes up to 18.
OPSET = 17
_BATCH = 16
#: Weights of fewer numbers stay in float32: biases and normalisation, which are a hundredth of the file.
_FEW = 1024


def export_onnx(source, path: Path) -> dict:
    """Write the model in float32.

    Args:
        source: an `ExportSource`.
        path: the file to write.

    Returns:
        Facts for the bundle: the operator set.
    """
    import onnx

    onnx.save(convert_to_onnx(source), path)
    return {"opset": OPSET}


def export_onnx_float16(source, path: Path) -> dict:
    """Write the model with its large weights stored in float16: half the size, computed in float32. See `export_onnx`.

    Each such weight goes through a Cast, which engines carry out once, when they load the file.
    """
    import onnx

    graph = convert_to_onnx(source)
    halve_weights(graph.graph)
    onnx.save(graph, path)
    return {"opset": OPSET, "weights": "float16"}


def halve_weights(graph) -> None:
    """Store the large float32 weights of an ONNX graph in float16, each followed by a Cast back to float32, in place.

    Weights that float16 cannot hold (65,504 at most) stay as they are.
    """
    import numpy as np
    import onnx

    casts = []
    for weight in graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT:
            continue
        values = onnx.numpy_helper.to_array(weight)
        if values.size < _FEW or np.abs(values).max() > np.finfo(np.float16).max:
            continue
        name, stored = weight.name, f"{weight.name}_float16"
        weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(onnx.helper.make_node("Cast", [stored], [name], to=onnx.TensorProto.FLOAT, name=f"{name}_cast"))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def export_onnx_int8(source, path: Path) -> dict:
    """Write the model with weights and activations in int8, scaled on training faces. See `export_onnx`.

    Raises:
        ValueError: no training faces can be read.
    """
    import onnx

    from fer_keras.runtimes.onnx_runtime import load_quantization

    faces, quantization = source.training_faces(), load_quantization()
    plain, prepared, quantised = (source.scratch / f"{name}.onnx" for name in ("plain", "prepared", "quantised"))
    onnx.save(convert_to_onnx(source), plain)
    with quiet():
        quantization.shape_inference.quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
        depthwise = _depthwise(onnx.load(prepared))
        quantization.quantize_static(
            str(prepared),
            str(quantised),
            _batches(faces, quantization.CalibrationDataReader),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            # Nets with depthwise convolutions lose CCC in int8 (EfficientNetB1: 1.2 points of arousal on 240 drawn faces);
            # with those convolutions and the activation functions in float32 the loss is below half a point.
            op_types_to_quantize=["Conv", "Gemm", "MatMul"] if depthwise else None,
            nodes_to_exclude=depthwise,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )
    onnx.save(with_metadata(onnx.load(quantised), source), path)
    kind = "int8, depthwise convolutions and activation functions in float32" if depthwise else "int8"
    return {"opset": OPSET, "quantisation": kind, "calibration_faces": len(faces)}


def _depthwise(graph) -> list[str]:
    """Return the names of a graph's depthwise convolutions."""
    return [
        node.name
        for node in graph.graph.node
        if node.op_type == "Conv" and any(each.name == "group" and each.i > 1 for each in node.attribute)
    ]


def convert_to_onnx(source):
    """Return a source's model as a float32 graph with a free batch dimension and its metadata; converted once a source."""
    import onnx
    import tensorflow as tf
    import tf2onnx

    kept, model = source.scratch / "float32.onnx", source.model
    if kept.is_file():
        return onnx.load(kept)
    signature = [tf.TensorSpec((None, *model.input.shape[1:]), tf.float32, name="image")]
    with quiet():
        graph, _ = tf2onnx.convert.from_keras(model, input_signature=signature, opset=OPSET)
    for value in (*graph.graph.input, *graph.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"  # tf2onnx calls it unk__146
    with_metadata(graph, source)
    onnx.save(graph, kept)
    return graph


def with_metadata(graph, source):
    """Return a graph with the source's facts and a description in it."""
    import onnx

    onnx.helper.set_model_props(graph, source.metadata)
    graph.doc_string = "Facial expression: emotion (probabilities), valence and arousal (-1..1) of a face."
    return graph


def _batches(faces, reader: type):
    """Return an instance of ONNX Runtime's calibration reader that gives the faces in batches."""

    class Faces(reader):
        def __init__(self):
            self.rewind()

        def get_next(self):
            return next(self._batches, None)

        def rewind(self):
            starts = range(0, len(faces), _BATCH)
            self._batches = iter({"image": faces[at : at + _BATCH].astype("float32")} for at in starts)

    return Faces()
