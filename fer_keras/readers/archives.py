"""Archives in the place of data: named for what they are, with the command that unpacks them. They are never opened here."""

import zipfile
from pathlib import Path

from fer_keras.readers.opening import read_head

#: First bytes -> kind and the command that unpacks one.
_KINDS = {
    b"PK\x03\x04": ("zip archive", "unzip {0} -d {1}"),
    b"PK\x05\x06": ("zip archive", "unzip {0} -d {1}"),
    b"Rar!\x1a\x07": ("RAR archive", "unrar x {0} {1}/"),
    b"7z\xbc\xaf\x27\x1c": ("7-Zip archive", "7z x {0} -o{1}"),
    b"\x1f\x8b": ("gzip file", "gunzip -k {0}"),
    b"BZh": ("bzip2 file", "bunzip2 -k {0}"),
    b"\xfd7zXZ\0": ("xz file", "unxz -k {0}"),
    b"\x28\xb5\x2f\xfd": ("zstd file", "unzstd {0}"),
}
_SUFFIXES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".gz", ".bz2", ".xz", ".rar", ".7z", ".zst")
_TARS = (".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tgz", ".tbz2", ".txz")


def archive_kind(path: str | Path) -> tuple[str, str] | None:
    """Return what archive a file is and the command that unpacks it, or None. A `.npz`, which is a zip inside, is none."""
    head = read_head(str(path), 512)
    name = Path(path).name
    if head[257:262] == b"ustar" or name.lower().endswith(_TARS):
        return "tar archive", "mkdir {1} && tar xf {0} -C {1}"
    for start, found in _KINDS.items():
        if head.startswith(start):
            return _zip_kind(path, found) if found[0] == "zip archive" else found
    return None


def _zip_kind(path: str | Path, found: tuple[str, str]) -> tuple[str, str] | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return None if str(path).lower().endswith(".npz") else found
    if names and all(name.endswith(".npy") for name in names):
        return None
    if "xl/workbook.xml" in names:
        return "Excel workbook", "save it as CSV: File, Save as, CSV UTF-8"
    return found


def has_archive_suffix(name: str) -> bool:
    """Whether a file is called like an archive."""
    return name.lower().endswith(_SUFFIXES)


def refuse_archive(root: Path) -> None:
    """Refuse an archive as the place of a data set.

    Raises:
        ValueError: `root` is an archive.
    """
    found = archive_kind(root) if root.is_file() else None
    if found:
        kind, command = found
        how = command.format(root, _unpacked(root))
        if kind == "Excel workbook":
            raise ValueError(f"{root} is an Excel workbook, which is not read; {how}.")
        raise ValueError(f"{root} is a {kind}, which is not read: unpack it, and give what is in it: {how}")


def _unpacked(path: Path) -> Path:
    name = path.name
    for suffix in (*_TARS, *_SUFFIXES):
        if name.lower().endswith(suffix):
            return path.with_name(name[: -len(suffix)])
    return path.with_name(f"{name}-unpacked")


def archives_in(folder: Path) -> str:
    """Return what to say of archives that lie in a folder where no data were found; nothing where there are none."""
    names = sorted(path.name for path in folder.iterdir() if has_archive_suffix(path.name)) if folder.is_dir() else []
    return f" It holds an archive, {names[0]}: unpack it first." if names else ""
