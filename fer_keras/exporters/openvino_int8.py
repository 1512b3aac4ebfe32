"""ONNX files in int8 for OpenVINO, quantised by NNCF, its own quantiser; scaled on training faces.

NNCF quantises as OpenVINO computes, and sends nothing here: its telemetry is left out.
"""

from pathlib import Path

import numpy as np

from fer_keras.exporters.onnx_graph import OPSET, convert_to_onnx, with_metadata
from fer_keras.quiet import quiet, without_openvino_telemetry


def export_openvino_int8(source, path: Path) -> dict:
    """Write the model with weights and activations in int8.

    Args:
        source: an `ExportSource`.
        path: the file to write.

    Returns:
        Facts for the bundle: the operator set, the kind of quantisation and the number of faces that it was scaled on.

    Raises:
        ValueError: no training faces can be read.
    """
    import onnx

    faces = source.training_faces()
    graph = convert_to_onnx(source)
    with quiet(), without_openvino_telemetry():  # it draws bars of its progress
        import nncf
        from nncf.quantization.range_estimator import RangeEstimatorParametersSet

        # The whole range of each activation: NNCF's mean of the ranges of single faces cut valence and arousal short (CCC
        # with the float model 0.986 and 0.988 in place of 0.999, on 400 training faces of FER+ that nothing was scaled on).
        ranges = RangeEstimatorParametersSet.MINMAX
        quantised = nncf.quantize(
            graph,
            nncf.Dataset([{"image": face[None].astype(np.float32)} for face in faces]),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(faces),
            advanced_parameters=nncf.AdvancedQuantizationParameters(activations_range_estimator_params=ranges),
        )
    onnx.save(with_metadata(quantised, source), path)
    return {"opset": OPSET, "quantisation": "int8 by NNCF", "calibration_faces": len(faces)}
