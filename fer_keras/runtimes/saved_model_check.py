"""Checks of a SavedModel before TensorFlow opens it: it consists of operations that compute, and of nothing else.

TensorFlow has operations that read and write files, print, call Python or other machines; a SavedModel can name any of them.
So not the known bad ones are refused but all that are not on a list of plain mathematics, neural networks, arrays and control
flow. What a SavedModel of TensorFlow 2 saves and restores its own variables with is only accepted where nothing calls it.
"""

from pathlib import Path

from fer_keras.cli import one_line

_MATHS = """
Abs Acos Acosh Add AddN AddV2 All Any ArgMax ArgMin Asin Asinh Atan Atan2 Atanh BatchMatMul BatchMatMulV2 BatchMatMulV3
BesselI0e BesselI1e Ceil ClipByValue Cos Cosh Cross Cumprod Cumsum Digamma Div DivNoNan Einsum Equal Erf Erfc Erfinv Exp Expm1
Floor FloorDiv FloorMod Greater GreaterEqual Inv Invert IsFinite IsInf IsNan L2Loss Less LessEqual Lgamma LinSpace Log Log1p
LogicalAnd LogicalNot LogicalOr MatMul Max Maximum Mean Min Minimum Mod Mul MulNoNan Ndtri Neg NextAfter NotEqual Pow Prod
Range RealDiv Reciprocal Rint Round Rsqrt SegmentMaxV2 SegmentMean SegmentMinV2 SegmentProdV2 SegmentSum SegmentSumV2 Sign Sin
Sinh SparseToDense Sqrt Square SquaredDifference Sub Sum Tan Tanh TruncateDiv TruncateMod UnsortedSegmentMax UnsortedSegmentMin
UnsortedSegmentSum Xdivy Xlog1py Xlogy Zeta
"""
_NETS = """
AvgPool AvgPool3D BiasAdd BiasAddV1 Conv Conv2D Conv3D DepthToSpace DepthwiseConv2dNative Dilation2D Elu FusedBatchNorm
FusedBatchNormV2 FusedBatchNormV3 InTopKV2 LeakyRelu LogSoftmax LRN MaxPool MaxPool3D MaxPoolV2 MaxPoolWithArgmax Relu Relu6
Selu Sigmoid Softmax Softplus Softsign SpaceToDepth TopK TopKV2 _FusedConv2D _FusedMatMul
Conv2DBackpropInput Conv3DBackpropInputV2 DepthwiseConv2dNativeBackpropInput
Dequantize FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel QuantizeAndDequantizeV2
QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 QuantizeV2
"""
_ARRAYS = """
BatchToSpaceND Bitcast BitwiseAnd BitwiseOr BitwiseXor BroadcastArgs BroadcastTo Bucketize Cast CheckNumerics CheckNumericsV2
Concat ConcatOffset ConcatV2 Const DeepCopy Diag DiagPart DynamicPartition DynamicStitch Empty EmptyTensorList EnsureShape
ExpandDims Fill Gather GatherNd GatherV2 GuaranteeConst Identity IdentityN InvertPermutation LeftShift LowerBound MatrixBandPart
MatrixDiag MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 MatrixSetDiag MatrixSetDiagV2
MatrixSetDiagV3 MirrorPad OneHot OnesLike Pack Pad PadV2 ParallelConcat ParallelDynamicStitch PlaceholderWithDefault
PreventGradient Rank Reshape Reverse ReverseSequence ReverseV2 RightShift Roll ScatterNd Select SelectV2 Shape
ShapeN Size Slice Snapshot SpaceToBatchND Split SplitV Squeeze StopGradient StridedSlice TensorScatterAdd TensorScatterMax
TensorScatterMin TensorScatterSub TensorScatterUpdate TensorStridedSliceUpdate Tile Transpose Unique UniqueV2 Unpack
UnravelIndex UpperBound Where ZerosLike
TensorListConcatV2 TensorListElementShape TensorListFromTensor TensorListGather TensorListGetItem TensorListLength
TensorListPopBack TensorListPushBack TensorListReserve TensorListResize TensorListSetItem TensorListSplit TensorListStack
"""
_IMAGES = """
AdjustContrastv2 AdjustHue AdjustSaturation CropAndResize DecodeBmp DecodeGif DecodeImage DecodeJpeg DecodePng DrawBoundingBoxesV2
ExtractImagePatches HSVToRGB ImageProjectiveTransformV3 NonMaxSuppressionV3 RGBToHSV ResizeArea ResizeBicubic ResizeBilinear
ResizeNearestNeighbor ScaleAndTranslate
"""
_RANDOM = """
RandomStandardNormal RandomUniform RandomUniformInt StatelessRandomGetAlg StatelessRandomGetKeyCounter StatelessRandomNormal
StatelessRandomNormalV2 StatelessRandomUniform StatelessRandomUniformV2 StatelessTruncatedNormalV2 TruncatedNormal
"""
_CONTROL = """
Assert AssignAddVariableOp AssignSubVariableOp AssignVariableOp Case ControlTrigger DestroyResourceOp Enter Exit FakeParam If
LoopCond Merge NextIteration NoOp PartitionedCall Placeholder ReadVariableOp ResourceGather ResourceGatherNd StatefulPartitionedCall
StatelessCase StatelessIf StatelessWhile Switch SymbolicGradient VarHandleOp VarIsInitializedOp VariableShape While _Arg _Retval
"""
#: The operations that may be called.
ALLOWED = frozenset(" ".join((_MATHS, _NETS, _ARRAYS, _IMAGES, _RANDOM, _CONTROL)).split())
#: Those that TensorFlow adds to save and restore variables.
SAVER = frozenset(
    [
        "DisableCopyOnRead",
        "MergeV2Checkpoints",
        "RestoreV2",
        "SaveV2",
        "ShardedFilename",
        "StaticRegexFullMatch",
        "StringJoin",
    ]
)
#: What an object of a SavedModel may be; the others are files that are read (assets) and tables made from them (resources).
_OBJECTS = {"user_object", "variable", "function", "bare_concrete_function", "constant", "captured_tensor"}
#: TensorFlow reads these in place of, or together with, `saved_model.pb`.
_OTHER_FILES = ("saved_model.cpb", "saved_model.pbtxt")


def check_saved_model(path: Path) -> None:
    """Refuse a SavedModel that is damaged, of TensorFlow 1, or that could do anything but compute.

    Args:
        path: of the folder.

    Raises:
        ValueError: such a SavedModel; the operations are named.
    """
    graph = _whole_graph(path)
    functions = {function.signature.name: function for function in graph.graph_def.library.function}
    objects = graph.object_graph_def
    unknown = {node.WhichOneof("kind") for node in objects.nodes} - _OBJECTS
    if unknown or graph.asset_file_def:
        names = ", ".join(sorted(str(name) for name in unknown)) or "assets"
        raise ValueError(f"{path} is refused: it reads files when it is loaded ({names}). Export the model again.")
    # The saver is only part of what TensorFlow 2 loads, not of what it calls.
    called = _reached(functions, _named(objects))
    found = {node.op for name, function in functions.items() for node in function.node_def if name in called} - ALLOWED
    idle = {node.op for name, function in functions.items() for node in function.node_def if name not in called}
    found |= (idle | {node.op for node in graph.graph_def.node}) - ALLOWED - SAVER
    found -= functions.keys()  # a call of a function by its name
    if found:
        raise ValueError(
            f"{path} is refused: it has operations that a model of faces does not need and that may read or write files, "
            f"call Python or other machines ({', '.join(sorted(found)[:8])}). Export the model again."
        )


def _whole_graph(path: Path):
    """Return the one graph of a SavedModel of TensorFlow 2."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    others = [name for name in _OTHER_FILES if (path / name).exists()]
    if others:
        raise ValueError(f"{path} is refused: expected saved_model.pb alone, received {others[0]} too.")
    model = saved_model_pb2.SavedModel()
    try:
        model.ParseFromString((path / "saved_model.pb").read_bytes())
    except (DecodeError, OSError) as error:
        raise ValueError(f"{path} is not a whole SavedModel: {one_line(error)}.") from error
    if len(model.meta_graphs) != 1 or not model.meta_graphs[0].object_graph_def.nodes:
        raise ValueError(
            f"{path} is not a whole SavedModel: expected one graph of TensorFlow 2. Export the model again."
        )
    return model.meta_graphs[0]


def _named(objects) -> set[str]:
    """Return the functions that an object of a SavedModel can call."""
    names = set(objects.concrete_functions)
    for node in objects.nodes:
        names.update(node.function.concrete_functions)
        names |= {node.bare_concrete_function.concrete_function_name, node.captured_tensor.concrete_function}
    return names


def _reached(functions: dict, names: set[str]) -> set[str]:
    """Return the functions of these names and all that they call, branches and loop bodies among them."""
    reached, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name in reached or name not in functions:
            continue
        reached.add(name)
        for node in functions[name].node_def:
            waiting.append(node.op)
            for value in node.attr.values():
                waiting += [value.func.name, *(function.name for function in value.list.func)]
    return reached
