"""TensorFlow Lite files, for LiteRT on phones, boards and computers: float32, float16, dynamic range and int8.

Every file has the signature `serving_default` with `image` (batch, height, width, 3), RGB 0..255, and named outputs in
float32; read them through `get_signature_runner()`, since the converter does not keep their order.
"""

import warnings
from pathlib import Path

from fer_keras.exporters.saved_model import FACES, write_saved_model
from fer_keras.exporters.tflite_metadata import add_metadata
from fer_keras.quiet import quiet


def export_tflite(source, path: Path) -> dict:
    """Write the model in float32.

    Args:
        source: an `ExportSource`.
        path: the file to write.

    Returns:
        Facts for the bundle.
    """
    return _write(source, path, "float32")


def export_tflite_float16(source, path: Path) -> dict:
    """Write the model with weights in float16: half the size; computes in float32 on a CPU. See `export_tflite`."""

    def halve(converter, tf):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]

    return _write(source, path, "float16 weights", halve)


def export_tflite_dynamic(source, path: Path) -> dict:
    """Write the model with weights in int8 and activations quantised at run time; needs no faces. See `export_tflite`."""

    def shrink(converter, tf):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]

    return _write(source, path, "int8 weights, dynamic range", shrink)


def export_tflite_int8(source, path: Path) -> dict:
    """Write the model in int8 throughout, scaled on training faces; its input is uint8 pixels. See `export_tflite`.

    Raises:
        ValueError: no training faces can be read.
    """
    faces = source.training_faces()

    def quantise(converter, tf):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ({"image": face[None].astype("float32")} for face in faces)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8

    return {**_write(source, path, "int8", quantise), "calibration_faces": len(faces)}


def _write(source, path: Path, kind: str, configure=None) -> dict:
    import tensorflow as tf

    folder = source.scratch / "for_tflite"
    if not folder.exists():
        write_saved_model(source.model, folder, (FACES,))
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=[FACES])
    if configure:
        configure(converter, tf)
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converter calls functions that TensorFlow has deprecated
        content = converter.convert()
    path.write_bytes(content)
    add_metadata(path, source)
    return {"quantisation": kind}
