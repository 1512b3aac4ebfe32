"""TFLite Metadata: labels, ranges and licence inside the `.tflite` file, as TensorFlow's own tools lay them out.

The format is that of `metadata_schema.fbs` 1.1.0 (identifier M001): a flatbuffer in the model's metadata table, and the
label file appended as a zip archive, so that `unzip model.tflite` gives `labels.txt`. It is written here field by field
because tflite-support, the package for this, has no release for current Python versions.
"""

import zipfile
from pathlib import Path

import flatbuffers

LABELS_FILE = "labels.txt"
_METADATA_NAME, _IDENTIFIER, _PARSER_VERSION = "TFLITE_METADATA", b"M001", "1.1.0"
_IMAGE_PROPERTIES, _FEATURE_PROPERTIES, _RGB, _AXIS_LABELS, _NORMALIZATION = 2, 1, 1, 2, 1


def add_metadata(path: Path, source) -> None:
    """Put metadata into a `.tflite` file and append the labels.

    Args:
        path: of the file, which is rewritten.
        source: the `ExportSource` it was made from.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    signature = model.signatureDefs[0]
    by_tensor = {entry.tensorIndex: _text(entry.name) for entry in signature.outputs}
    # Metadata follows the order in the graph, which is neither alphabetical nor the package's.
    outputs = [by_tensor[index] for index in model.subgraphs[signature.subgraphIndex].outputs]
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = list(build_metadata(source, outputs))
    entry.name, entry.buffer = _METADATA_NAME, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(builder.Output())
    if source.labels:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(LABELS_FILE, "\n".join(source.labels) + "\n")


def build_metadata(source, outputs: list[str]) -> bytes:
    """Return the metadata flatbuffer.

    Args:
        source: an `ExportSource`.
        outputs: names of the outputs in the order of the graph.
    """
    builder = flatbuffers.Builder(1024)
    tensors = [_output(builder, name) for name in outputs]
    image = _image(builder, source.bundle.image_size)
    subgraph = _table(builder, 7, {2: _vector(builder, [image]), 3: _vector(builder, tensors)})
    strings = {
        0: f"fer_keras {source.bundle.model.backbone}",
        1: "Facial expression: emotion (probabilities), valence and arousal (-1..1) of a face.",
        2: source.metadata["producer"],
        5: source.licence,
        7: _PARSER_VERSION,
    }
    root = _table(builder, 8, {3: _vector(builder, [subgraph]), **_strings(builder, strings)})
    builder.Finish(root, _IDENTIFIER)
    return bytes(builder.Output())


def _image(builder, image_size: tuple[int, int]) -> int:
    height, width = image_size
    builder.StartObject(2)
    builder.PrependUint32Slot(0, width, 0)
    builder.PrependUint32Slot(1, height, 0)
    size = builder.EndObject()
    builder.StartObject(2)
    builder.PrependInt8Slot(0, _RGB, 0)
    builder.PrependUOffsetTRelativeSlot(1, size, 0)
    content = _union(builder, 3, _IMAGE_PROPERTIES, builder.EndObject())
    # Pixels are not scaled: (x - 0) / 1.
    options = _table(builder, 2, {0: _floats(builder, [0.0]), 1: _floats(builder, [1.0])})
    unit = _union(builder, 2, _NORMALIZATION, options)
    text = {0: "image", 1: "A face, square, RGB, 0..255; the model scales pixels itself."}
    fields = {3: content, 4: _vector(builder, [unit]), 5: _stats(builder, 0.0, 255.0), **_strings(builder, text)}
    return _table(builder, 7, fields)


def _output(builder, name: str) -> int:
    emotion = name == "emotion"
    fields = {
        3: _union(builder, 3, _FEATURE_PROPERTIES, _table(builder, 0, {})),
        5: _stats(builder, 0.0 if emotion else -1.0, 1.0),
        **_strings(
            builder, {0: name, 1: "Probability of each label." if emotion else f"{name.capitalize()}, -1 to 1."}
        ),
    }
    if emotion:
        strings = _strings(builder, {0: LABELS_FILE, 1: "Names of the classes, in order."})
        builder.StartObject(5)
        for slot, offset in strings.items():
            builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
        builder.PrependInt8Slot(2, _AXIS_LABELS, 0)
        fields[6] = _vector(builder, [builder.EndObject()])
    return _table(builder, 7, fields)


def _table(builder, slots: int, fields: dict[int, int]) -> int:
    builder.StartObject(slots)
    for slot, offset in fields.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    return builder.EndObject()


def _union(builder, slots: int, kind: int, value: int) -> int:
    """A table whose first field is a union: its kind in slot 0, its value in slot 1."""
    builder.StartObject(slots)
    builder.PrependUint8Slot(0, kind, 0)
    builder.PrependUOffsetTRelativeSlot(1, value, 0)
    return builder.EndObject()


def _strings(builder, texts: dict[int, str]) -> dict[int, int]:
    return {slot: builder.CreateString(text) for slot, text in texts.items()}


def _vector(builder, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _floats(builder, values: list[float]) -> int:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(value)
    return builder.EndVector()


def _stats(builder, low: float, high: float) -> int:
    return _table(builder, 2, {0: _floats(builder, [high]), 1: _floats(builder, [low])})


def _text(value) -> str:
    return value.decode() if isinstance(value, bytes) else value
