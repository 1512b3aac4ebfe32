"""Which tables a data set has, what their columns are called, and their cells, as `face_table` reads them."""

from dataclasses import dataclass
from pathlib import Path

from fer_keras.labels import AXES, EMOTIONS, known_emotion
from fer_keras.readers.embedded_images import class_names, holds_images
from fer_keras.readers.listing import Notes, join_names, walk_folders
from fer_keras.readers.names import NO_SPLIT_WORDS, split_in_name, split_meant
from fer_keras.readers.opening import has_image_suffix
from fer_keras.readers.spec import DataSpec
from fer_keras.readers.table_file import FileTable, open_table

BOX = ("face_x", "face_y", "face_width", "face_height")
SUFFIXES = (".csv", ".parquet", ".tsv", ".pq")

#: What a column that a data set must have may be called, should the spec not say it.
ALIASES = {
    "image": (
        *(
            "img",
            "img_bytes",
            "image_path",
            "image_name",
            "image_file",
            "image_id",
            "img_path",
            "img_name",
            "file_name",
        ),
        *(
            "filename",
            "fname",
            "path",
            "filepath",
            "file_path",
            "subdirectory_filepath",
            "file",
            "picture",
            "photo",
            "name",
        ),
    ),
    "emotion": (
        *("label", "labels", "expression", "class", "emotion_label", "emotion label", "emotions", "emotion_name"),
        *("expr", "class_name", "class_id", "label_name", "category", "target"),
    ),
}
#: What a column that says the split may be called; it counts where each of its cells is a word for a split.
SPLIT_ALIASES = ("usage", "set", "subset", "partition", "phase", "fold", "dataset", "type", "data_split", "split_name")
_DEPTH = 4  # folders that are looked into for tables


@dataclass(frozen=True)
class Source:
    """A table of a data set.

    Attributes:
        split: what its file or the spec says of its split, "" for nothing.
        path: of the file.
        folder: that its images' paths are relative to, relative to the data set's folder.
        inner: folder of its own name inside the images' folder, as archives leave it, or ".".
    """

    split: str
    path: Path
    folder: str = "."
    inner: str = "."


@dataclass
class Cells:
    """The cells of a table that a spec knows.

    Attributes:
        columns: the package's word -> the cells; of images inside the table only whether there are any.
        count: number of rows.
        lines: number of the line of each row.
        bad_lines: (line number, reason).
        notes: of reading the table.
        embedded: name of the column with images inside, or "".
        classes: names behind the codes of the labels, or none.
        decimal_comma: whether numbers may be written "0,5".
    """

    columns: dict[str, list]
    count: int
    lines: list[int]
    bad_lines: list[tuple[int, str]]
    notes: Notes
    embedded: str = ""
    classes: tuple[str, ...] = ()
    decimal_comma: bool = False


def find_tables(spec: DataSpec, root: Path) -> list[Source]:
    """Return the tables of a data set: `root` itself, those that its spec names, one, or one or more for each split.

    Raises:
        ValueError: none, or several of which nothing says what they are.
    """
    if root.is_file():
        return [Source("", root)]
    wanted = dict(spec.options.get("tables", {}))
    if "table" in spec.options:
        wanted[""] = spec.options["table"]
    seen: list[str] = []
    for folder, _ in walk_folders(root, _DEPTH):
        if wanted:
            found = [Source(name, root / folder / file, folder) for name, file in wanted.items()]
            found = [source for source in found if source.path.is_file()]
        else:
            paths = sorted(path for path in (root / folder).iterdir() if _is_table(path))
            seen += [join_names(folder, path.name) for path in paths]
            found = _sources(paths, folder)
        if found:
            return found
        if seen:
            break
    expected = ", ".join(wanted.values()) or "one .csv or .parquet file"
    more = "" if wanted else ", or files named after their splits, such as train.csv and test.csv"
    raise ValueError(
        f"No table of faces in {root}. Expected {expected}. Received: {', '.join(seen[:6]) or 'none'}. "
        f"Or give the file itself{more}."
    )


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _sources(paths: list[Path], folder: str) -> list[Source]:
    """Return one table of all splits, or several that each tell theirs in their name."""
    if len(paths) == 1:
        return [Source("", paths[0], folder)]
    splits = [split_in_name(path.name.partition(".")[0]) for path in paths]
    if None in splits:
        return []
    return [Source(split, path, folder) for split, path in zip(splits, paths, strict=True)]


def read_cells(spec: DataSpec, path: Path) -> Cells:
    """Return the cells that a spec knows.

    Raises:
        ValueError: an unreadable file, or one without the image's column or that of a target.
    """
    words = ("image", "split", "emotion", *AXES, "landmarks", *BOX)
    required = ("image", *spec.targets)
    names = {word: _names(spec, word, word in required) for word in words}
    options = spec.options
    table = open_table(
        path,
        [name for word in words for name in names[word]],
        header=options.get("header"),
        separator=options.get("separator"),
        lazy=names["image"],
    )
    found = {word: table.find(names[word]) for word in words}
    missing = [names[word][0] for word in required if found[word] is None]
    if missing:
        raise ValueError(
            f"{path} lacks the column {', '.join(missing)}. Received: {', '.join(table.names)[:300]}.{_hint(table)} Say what "
            "the columns are called in [options.columns] of a copy of the data spec, and in its targets what is labelled."
        )
    if found["split"] is None and "split" not in spec.options.get("columns", {}):
        found["split"] = _split_column(table)
    return _cells(table, {word: name for word, name in found.items() if name})


def _split_column(table: FileTable) -> str | None:
    """Return the column that says each row's split under another name, or None."""
    name = table.find(SPLIT_ALIASES)
    if name is None:
        return None
    words = {str(word or "").strip() for word in table.column(name).unique().to_pylist()}
    named = {word for word in words if split_meant(word)}
    return name if named and all(word in named or word.casefold() in NO_SPLIT_WORDS for word in words) else None


def _hint(table: FileTable) -> str:
    """Return what a table without the columns probably is, as a sentence after a space; nothing where that is unknown."""
    if any(name.lstrip()[:1] in ("{", "[") for name in table.names[:1]):
        return " It holds JSON, which is not read: write it as CSV (pandas: read_json, then to_csv)."
    if any(name.casefold() == "pixels" for name in table.names):
        return " Pixels in a column are read by --data-spec fer2013."
    if sum(known_emotion(name) in EMOTIONS for name in table.names) > 2:
        return " It has a column for each emotion, which is not read: write the emotion's name into one column."
    if any(has_image_suffix(name) or known_emotion(name) in EMOTIONS for name in table.names):
        return ' Its first line looks like a row: say header = ["image", "emotion"] in the spec\'s [options].'
    if len(table.names) == 1 and " " in table.names[0]:
        return ' Spaces separate its columns: say separator = " " in the spec\'s [options].'
    return ""


def _names(spec: DataSpec, word: str, required: bool) -> tuple[str, ...]:
    named = spec.options.get("columns", {}).get(word)
    return (named,) if named else (word, *(ALIASES.get(word, ()) if required else ()))


def _cells(table: FileTable, names: dict[str, str]) -> Cells:
    image = table.column(names["image"])
    embedded = holds_images(image.type)
    columns = {word: table.column(name).to_pylist() for word, name in names.items() if word != "image" or not embedded}
    return Cells(
        columns,
        count=table.table.num_rows,
        lines=table.lines(),
        bad_lines=table.bad_lines,
        notes=table.notes,
        embedded=names["image"] if embedded else "",
        classes=tuple(class_names(table.metadata, names["emotion"])) if "emotion" in names else (),
        decimal_comma=table.decimal_comma,
    )
