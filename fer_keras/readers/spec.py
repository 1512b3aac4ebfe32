"""Data specs: what a data set is, in one TOML file each: layout, labels, splits, targets, licence, home page."""

import tomllib
from dataclasses import asdict, dataclass, field
from importlib import resources
from math import isfinite
from pathlib import Path

import tomli_w

from fer_keras.cli import one_line
from fer_keras.hints import nearest
from fer_keras.labels import (
    EMOTIONS,
    OUTPUTS,
    canonical_emotion,
    in_package_order,
    is_emotion,
    known_emotion,
    plain_name,
)
from fer_keras.readers.spec_checks import check_spec_values

_KEYS = {
    "name",
    "title",
    "homepage",
    "licence",
    "citation",
    "note",
    "reader",
    "targets",
    "image_size",
    "labels",
    "drop_labels",
    "class_names",
    "splits",
    "missing_va",
    "va_range",
    "subject_pattern",
    "options",
}
#: A folder of data may hold its own spec under this name; it counts whatever set is asked for.
SPEC_FILE = "data_spec.toml"

_REQUIRED = ("name", "title", "homepage", "licence", "reader", "targets")


@dataclass(frozen=True)
class DataSpec:
    """A data set as its TOML file describes it.

    Attributes:
        name, title, homepage, licence, citation, note: who made it, on which terms, what to know.
        reader: name of the reader of its layout, a key of `fer_keras.readers.reader_table.READERS`.
        targets: which of `OUTPUTS` it labels.
        image_size: side in pixels of its faces as distributed, or None where they vary.
        labels: code or name in its files (as text) -> one of `EMOTIONS`, or one of the classes of its own.
        drop_labels: code in its files -> what it means; rows with it are counted and dropped.
        class_names: what its makers call the classes, in their order: the names and the order of a model trained on it.
            Each means one of its emotions, or is a class of its own, such as "happily surprised". Default: the package's.
        splits: split here (train, validation, test) -> its name in the files.
        missing_va: number that stands for "not labelled" in valence and arousal, or None.
        va_range: what means -1 and what means 1 in its valence and arousal, or None: they are on -1..1 already.
        subject_pattern: regular expression whose first group, searched in a row's path, is the subject's id.
        options: what the reader alone understands.
        derived: axes whose labels are derived from the emotion, never measured; set by `derive_axes`, not by a file.
        source: the file this was read from.
    """

    name: str
    title: str
    homepage: str
    licence: str
    reader: str
    targets: tuple[str, ...]
    citation: str = ""
    note: str = ""
    image_size: int | None = None
    labels: dict[str, str] = field(default_factory=dict)
    drop_labels: dict[str, str] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()
    splits: dict[str, str] = field(default_factory=dict)
    missing_va: float | None = None
    va_range: tuple[float, float] | None = None
    subject_pattern: str | None = None
    options: dict = field(default_factory=dict)
    derived: tuple[str, ...] = ()
    source: str = ""

    @property
    def emotions(self) -> tuple[str, ...]:
        """The classes that the spec declares: emotions in the package's order, then those of its own; all eight if none."""
        return in_package_order(self.declared or EMOTIONS)

    @property
    def declared(self) -> tuple[str, ...]:
        """What the spec's codes stand for; where it has classes of its own and no codes, what its class names mean."""
        if self.labels:
            return tuple(self.labels[code] for code in sorted(self.labels, key=self._place))
        return _meant(self.class_names) if self.own_classes else ()

    @property
    def own_classes(self) -> tuple[str, ...]:
        """The classes that are none of `EMOTIONS`, in the order of `class_names`."""
        return tuple(name for name in self.class_names if not is_emotion(name))

    def _place(self, code: str) -> int:
        name = self.labels[code]
        return self.class_names.index(name) if name in self.own_classes else -1


def spec_names() -> list[str]:
    """Return the names of the data specs that come with the package, sorted."""
    return sorted(path.name.removesuffix(".toml") for path in _spec_dir().iterdir() if path.name.endswith(".toml"))


def load_spec(name: str | Path) -> DataSpec:
    """Read a data spec by name (`affectnet`) or by the path of its TOML file.

    Raises:
        FileNotFoundError: a path at which there is no file.
        ValueError: no spec of that name, an unknown key, or a value that makes no sense.

    Example:
        >>> load_spec("affectnet").labels["7"]
        'contempt'
    """
    text = str(name)
    if text in spec_names():
        path = _spec_dir() / f"{text}.toml"
    elif text.endswith(".toml"):
        path = Path(text)
        if not path.is_file():
            raise FileNotFoundError(f"No data spec there. Expected a TOML file. Received: {text}.")
    else:
        hint = nearest(text, spec_names())
        raise ValueError(
            f"Unknown data spec. Expected one of {', '.join(spec_names())} or the path of a .toml file. "
            f"Received: {text!r}.{hint}"
        )
    try:
        mapping = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, bottomless nesting
        raise ValueError(f"Data spec {text} is not a TOML file: {one_line(error)}.") from error
    return _spec_from_mapping(mapping, source=text)


def find_spec(name: str | Path, data_dir: str | Path | None) -> DataSpec:
    """Return the spec of a data folder: its own `data_spec.toml`, as prepared sets have, or else the one named.

    Args:
        name: as for `load_spec`; `synthetic`, the default of every command line, yields to the folder's own.
        data_dir: the folder, or None.

    Raises:
        ValueError: as of `load_spec`, or the folder says that it holds another set.
    """
    own = None if data_dir is None else Path(data_dir).expanduser() / SPEC_FILE
    if own is None or not own.is_file():
        return load_spec(name)
    spec = load_spec(own)
    if str(name) not in ("synthetic", spec.name) and load_spec(name).name != spec.name:
        raise ValueError(f"{data_dir} holds {spec.name}, as its {SPEC_FILE} says. Received: --data-spec {name}.")
    return spec


def dump_spec(spec: DataSpec) -> str:
    """Return a spec as TOML, for `load_spec` to read; what is empty is left out."""
    facts = {name: value for name, value in asdict(spec).items() if name in _KEYS and value not in (None, "", (), {})}
    return tomli_w.dumps({"homepage": "", **facts})


def _spec_dir():
    """The installed specs; in a source tree that is not installed they stand beside the package."""
    installed = resources.files("fer_keras") / "data_specs"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "data_specs"


def _spec_from_mapping(mapping: dict, source: str) -> DataSpec:
    for key in mapping:
        if key not in _KEYS:
            raise ValueError(f"Unknown key {key!r} in data spec {source}.{nearest(key, _KEYS)}")
    for key in _REQUIRED:
        if key not in mapping:
            raise ValueError(f"Data spec {source} lacks the key {key!r}.")
    check_spec_values(mapping, source)
    values = dict(mapping, source=source)
    unknown = [target for target in mapping["targets"] if target not in OUTPUTS]
    if unknown or not mapping["targets"]:
        raise ValueError(
            f"Data spec {source}: targets expects some of {', '.join(OUTPUTS)}. Received: {mapping['targets']}."
        )
    values["targets"] = tuple(target for target in OUTPUTS if target in mapping["targets"])
    values["class_names"] = names = tuple(mapping.get("class_names", ()))
    values["labels"] = {
        str(code): _class_meant(name, names, source) for code, name in mapping.get("labels", {}).items()
    }
    values["drop_labels"] = {str(code): str(name) for code, name in mapping.get("drop_labels", {}).items()}
    both = values["labels"].keys() & values["drop_labels"].keys()
    if both:
        raise ValueError(f"Data spec {source}: codes {sorted(both)} stand in both labels and drop_labels.")
    values["va_range"] = _va_range(mapping.get("va_range"), source)
    _check_class_names(names, values["labels"], source)
    known = {"train", "validation", "test"}
    if not set(mapping.get("splits", {})) <= known:
        raise ValueError(
            f"Data spec {source}: splits expects keys among {sorted(known)}. Received: {mapping['splits']}."
        )
    return DataSpec(**values)


def _va_range(value, source: str) -> tuple[float, float] | None:
    if value is None:
        return None
    numbers = [number for number in value if type(number) in (int, float)] if isinstance(value, list) else []
    if len(numbers) != 2 or len(value) != 2 or numbers[0] == numbers[1] or not all(map(isfinite, numbers)):
        raise ValueError(
            f"Data spec {source}: va_range expects two different numbers, such as [-10, 10]. Received: {value!r}."
        )
    return float(numbers[0]), float(numbers[1])


def _meant(names) -> tuple[str, ...]:
    """Return the emotions that names mean, and names that mean none as they are."""
    return tuple(known_emotion(name) for name in names)


def _class_meant(name: str, class_names: tuple[str, ...], source: str) -> str:
    """Return the emotion that a name means, or the class of the set's own.

    Raises:
        ValueError: it is neither.
    """
    own = {plain_name(other): other for other in class_names if not is_emotion(other)}
    if is_emotion(name) or plain_name(name) not in own:
        try:
            return canonical_emotion(name)
        except ValueError as error:
            raise ValueError(f"Data spec {source}: {error} A class that is none of them: in class_names too.") from None
    return own[plain_name(name)]


def _check_class_names(names: tuple[str, ...], labels: dict[str, str], source: str) -> None:
    meant = [plain_name(name) for name in _meant(names)]
    double = [name for name, meaning in zip(names, meant, strict=True) if meant.count(meaning) > 1]
    hint = f" {' and '.join(double)} mean the same; call a class of its own otherwise." if double else ""
    blank = any(not meaning or "\n" in name for name, meaning in zip(names, meant, strict=True))
    if double or blank or (names and labels and set(meant) != set(map(plain_name, labels.values()))):
        raise ValueError(
            f"Data spec {source}: class_names expects each emotion of its labels once. Received: {', '.join(names)}.{hint}"
        )
