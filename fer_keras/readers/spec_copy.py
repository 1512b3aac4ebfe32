"""A copy of a data spec for its user to complete: with the lines that name unknown labels, or another scale."""

from dataclasses import replace
from pathlib import Path

from fer_keras.files import write_text
from fer_keras.readers.label_names import labels_table
from fer_keras.readers.spec import DataSpec, dump_spec, load_spec


def write_spec_copy(
    path: str | Path, spec: DataSpec, names: tuple[str, ...] = (), va_range: tuple[float, float] | None = None
) -> Path:
    """Write a copy of a data spec with a line for each name that it does not know.

    What a name probably means is filled in; where nobody can guess, the line is a comment.

    Args:
        path: of the file to make, ending in .toml.
        spec: what to copy.
        names: folders or labels that mean no emotion yet.
        va_range: see `DataSpec`; default: the spec's.

    Raises:
        ValueError: another suffix.
        FileExistsError: the file is there already.
    """
    path = Path(path)
    if path.suffix != ".toml":
        raise ValueError(f"--write-spec expects a file ending in .toml. Received: {path}.")
    if path.exists():
        raise FileExistsError(f"{path} is there already, and is not replaced. Name another file for --write-spec.")
    copy = replace(spec, name=path.stem, labels={}, class_names=(), va_range=va_range or spec.va_range)
    known = [f'"{code}" = "{emotion}"' for code, emotion in spec.labels.items()]
    new = labels_table([name for name in names if name not in spec.labels])[1:]
    head = [
        f"# A copy of {spec.name}, to be checked: lines of [labels] say which emotion a folder or label means.",
        f"# python -m fer_keras.train --data-spec {path.name} --data-dir DATA",
        "",
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "\n".join([*head, dump_spec(copy), "[labels]", *known, *new, ""]))
    load_spec(path)
    return path
