"""Random access to records of `tf.train.Example` in TFRecord and ArrayRecord files, without TensorFlow.

A TFRecord file has no table of its records, but their lengths stand in front of them: hopping from one to the next finds
all of them in a fraction of the time of reading. So shards serve faces in any order, as single files do.

Source: TFRecord's layout, https://www.tensorflow.org/tutorials/load_data/tfrecord.
"""

import os
import struct
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

_HEADER, _FOOTER = 12, 4  # length and its checksum before a record, the record's checksum behind it


class TFRecords:
    """The records of some TFRecord files, numbered through; threads and processes may share it.

    Args:
        paths: the files, in order.

    Attributes:
        counts: number of records in each file.

    Raises:
        ValueError: a file that ends inside a record.
        OSError: one that cannot be read.
    """

    def __init__(self, paths: Sequence[Path]):
        self.paths = [str(path) for path in paths]
        self._maps = [_map(path) for path in self.paths]
        spans = [_spans(data, path) for data, path in zip(self._maps, self.paths, strict=True)]
        self.counts = [len(span) for span in spans]
        self._first = np.cumsum([0, *self.counts])
        self._spans = np.concatenate([np.empty((0, 2), np.int64), *spans])

    def __len__(self) -> int:
        return len(self._spans)

    def __getstate__(self) -> dict:
        return {"paths": self.paths}

    def __setstate__(self, state: dict) -> None:
        self.__init__(state["paths"])

    def read(self, number: int) -> bytes:
        """Return one record."""
        start, length = self._spans[number].tolist()
        return self._maps[_file_of(self._first, number)][start : start + length].tobytes()


def _file_of(first: np.ndarray, number: int) -> int:
    return int(np.searchsorted(first, number, "right")) - 1


def _map(path: str) -> np.ndarray:
    # An empty file, which is what a shard without faces is, cannot be mapped.
    return np.memmap(path, np.uint8, "r") if os.path.getsize(path) else np.empty(0, np.uint8)


def _spans(data: np.ndarray, path: str) -> np.ndarray:
    """Return (records, 2) start and length of each record of a TFRecord file."""
    spans, position = [], 0
    while position < len(data):
        header = data[position : position + 8].tobytes()
        length = struct.unpack("<Q", header)[0] if len(header) == 8 else len(data)
        if position + _HEADER + length + _FOOTER > len(data):
            raise ValueError(f"{path} ends inside a record. Prepare the data set again.")
        spans.append((position + _HEADER, length))
        position += _HEADER + length + _FOOTER
    return np.array(spans, np.int64).reshape(-1, 2)


class ArrayRecords:
    """The records of some ArrayRecord files, numbered through.

    Args:
        paths: the files, in order.

    Attributes:
        counts: number of records in each file.

    Raises:
        ValueError: the package array_record is not installed.
    """

    def __init__(self, paths: Sequence[Path]):
        self.paths = [str(path) for path in paths]
        self._readers = [self._open(path) for path in self.paths]
        self.counts = [reader.num_records() for reader in self._readers]
        self._first = np.cumsum([0, *self.counts])

    @staticmethod
    def _open(path: str):
        try:
            from array_record.python.array_record_module import ArrayRecordReader
        except ImportError as error:
            raise ValueError(
                "ArrayRecord files are read with array_record: pip install 'fer_keras[prepare]'."
            ) from error
        return ArrayRecordReader(path)

    def __len__(self) -> int:
        return int(self._first[-1])

    def __getstate__(self) -> dict:
        return {"paths": self.paths}

    def __setstate__(self, state: dict) -> None:
        self.__init__(state["paths"])

    def read(self, number: int) -> bytes:
        """Return one record."""
        file = _file_of(self._first, number)
        return self._readers[file].read([int(number - self._first[file])])[0]


#: file format, as TensorFlow Datasets names it -> what reads it
RECORDS = {"tfrecord": TFRecords, "array_record": ArrayRecords}


def parse_example(record: bytes) -> dict[str, list]:
    """Return the features of a serialised `tf.train.Example`: name -> list of bytes, floats or whole numbers.

    Raises:
        ValueError: not such a record.
    """
    return {
        name: list(getattr(value, kind).value) if (kind := value.WhichOneof("kind")) else []
        for name, value in _features(record).items()
    }


def example_bytes(record: bytes, name: str) -> bytes:
    """Return the first bytes of one feature of a serialised `tf.train.Example`; the others are left alone.

    Raises:
        ValueError: not such a record, or one without bytes of that name.
    """
    features = _features(record)
    found = features[name].byteslist.value if name in features else ()
    if not found:
        raise ValueError(f"Expected a record with bytes called {name}. Received: one with {', '.join(features)}.")
    return found[0]


def _features(record: bytes):
    from google.protobuf.message import DecodeError

    example = _example_class()()
    try:
        example.ParseFromString(record)
    except DecodeError as error:
        raise ValueError("not a tf.train.Example") from error
    return example.features.feature


@cache
def _example_class():
    """Return the message class of `tf.train.Example`, described here so that TensorFlow need not be there."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="fer_keras/example.proto", package="fer_keras", syntax="proto3")

    def add(message, name: str, number: int, kind: int, *, repeated: bool = False, of: str = "", choice: bool = False):
        options = {"type_name": f".fer_keras.{of}"} if of else {}
        options |= {"oneof_index": 0} if choice else {}
        label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
        message.field.add(name=name, number=number, type=kind, label=label, **options)

    lists = {"BytesList": field.TYPE_BYTES, "FloatList": field.TYPE_FLOAT, "Int64List": field.TYPE_INT64}
    for name, kind in lists.items():
        add(file.message_type.add(name=name), "value", 1, kind, repeated=True)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, name in enumerate(lists, 1):
        add(feature, name.lower(), number, field.TYPE_MESSAGE, of=name, choice=True)
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    add(entry, "key", 1, field.TYPE_STRING)
    add(entry, "value", 2, field.TYPE_MESSAGE, of="Feature")
    add(features, "feature", 1, field.TYPE_MESSAGE, repeated=True, of="Features.FeatureEntry")
    add(file.message_type.add(name="Example"), "features", 1, field.TYPE_MESSAGE, of="Features")
    pool = descriptor_pool.DescriptorPool()  # one of its own: TensorFlow's holds the same names
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("fer_keras.Example"))
