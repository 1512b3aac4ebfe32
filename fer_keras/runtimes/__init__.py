"""Programs that run a model file: Keras, TensorFlow's SavedModel, LiteRT, ONNX Runtime; one contract, one file each."""
