"""TensorFlow's SavedModel, for TensorFlow Serving and any program that calls `tf.saved_model.load`.

Three signatures, outputs named in each:

- `serving_default`: `image` (batch, height, width, 3) float32 RGB 0..255, faces of the model's size;
- `serving_uint8`: the same as uint8, a quarter of the bytes;
- `serving_bytes`: `image_bytes` (batch,) strings, each a whole JPEG or PNG file, cropped to a square and resized there.
"""

from pathlib import Path

from fer_keras.quiet import quiet

FACES, FACES_UINT8, BYTES = "serving_default", "serving_uint8", "serving_bytes"


def export_saved_model(source, path: Path) -> dict:
    """Write a SavedModel folder with all three signatures.

    Args:
        source: an `ExportSource`.
        path: the folder to write.

    Returns:
        Facts for the bundle: the signatures' names.
    """
    write_saved_model(source.model, path, (FACES, FACES_UINT8, BYTES))
    return {"signatures": [FACES, FACES_UINT8, BYTES]}


def write_saved_model(model, path: Path, signatures: tuple[str, ...]) -> None:
    """Write a Keras model as a SavedModel with some of the three signatures.

    Args:
        model: Keras model from faces to a dict of outputs.
        path: the folder to write.
        signatures: their names.
    """
    import tensorflow as tf

    size = tuple(model.input.shape[1:3])
    faces = (None, *size, 3)

    # One function that the signatures share: traced and stored once.
    @tf.function(input_signature=[tf.TensorSpec(faces, tf.float32)])
    def from_faces(image):
        return model(image, training=False)

    def from_uint8(image):
        return from_faces(tf.cast(image, tf.float32))

    def from_bytes(image_bytes):
        pixels = tf.map_fn(lambda data: decode_face(data, size), image_bytes, fn_output_signature=tf.uint8)
        return from_faces(tf.cast(tf.ensure_shape(pixels, faces), tf.float32))

    specs = {
        FACES: (lambda image: from_faces(image), tf.TensorSpec(faces, tf.float32, name="image")),
        FACES_UINT8: (from_uint8, tf.TensorSpec(faces, tf.uint8, name="image")),
        BYTES: (from_bytes, tf.TensorSpec((None,), tf.string, name="image_bytes")),
    }
    # Keras's own ExportArchive stores every weight twice.
    module = tf.Module()
    module.weights = [weight.value for weight in model.weights]
    traced = {name: tf.function(function, input_signature=[spec]) for name, (function, spec) in specs.items()}
    with quiet():
        chosen = {name: traced[name].get_concrete_function() for name in signatures}
        tf.saved_model.save(module, str(path), signatures=chosen)


def decode_face(data, image_size: tuple[int, int]):
    """Decode an image to a face of the model's size in TensorFlow operations, as `decode_image` and `crop_face` do.

    The shorter side is padded to the aspect ratio by repeating the edge; shrinking averages over areas, enlarging is
    bilinear. Pixels differ from those of `fer_keras.preprocessing` by rounding. EXIF's orientation is not applied, since
    TensorFlow does not read it.

    Args:
        data: scalar string, the content of a JPEG or PNG file.
        image_size: (height, width) of the result.

    Returns:
        image_size + (3,) uint8 tensor, RGB.
    """
    import tensorflow as tf

    # decode_jpeg reads PNG as well, and unlike decode_image offers libjpeg's accurate transform.
    image = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")
    image = tf.cast(_pad_by_edge(image, image_size), tf.float32)
    high, wide = tf.shape(image)[0], tf.shape(image)[1]
    face = tf.cond(
        tf.logical_and(high >= image_size[0], wide >= image_size[1]),
        lambda: tf.image.resize(image, image_size, tf.image.ResizeMethod.AREA),
        lambda: tf.image.resize(image, image_size, tf.image.ResizeMethod.BILINEAR),
    )
    return tf.cast(tf.clip_by_value(tf.round(face), 0, 255), tf.uint8)


def _pad_by_edge(image, image_size: tuple[int, int]):
    """Pad an image around its centre to the aspect ratio of `image_size`; see `preprocessing.square_box`."""
    import tensorflow as tf

    shape = tf.cast(tf.shape(image), tf.float64)
    ratio = image_size[1] / image_size[0]
    wide = tf.maximum(shape[1], shape[0] * ratio)
    high = wide / ratio
    for axis, grown in ((0, high), (1, wide)):
        first = tf.cast(tf.round((shape[axis] - grown) / 2), tf.int32)
        count = tf.maximum(1, tf.cast(tf.round(grown), tf.int32))
        last = tf.shape(image)[axis] - 1
        image = tf.gather(image, tf.clip_by_value(first + tf.range(count), 0, last), axis=axis)
    return image
