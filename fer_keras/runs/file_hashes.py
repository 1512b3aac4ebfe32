"""SHA-256 of a bundle's model files, so that a file that was changed or mixed up is refused before anything reads it."""

import hashlib
from pathlib import Path

_CHUNK = 1 << 20


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder: of its files' names and hashes, in the order of their names.

    Args:
        path: the file, or the folder of a SavedModel.

    Returns:
        64 hexadecimal digits.

    Raises:
        OSError: a file that cannot be read.
    """
    if not path.is_dir():
        return _hash(path)
    files = sorted((file.relative_to(path).as_posix(), file) for file in path.rglob("*") if not file.is_dir())
    listing = "".join(f"{_hash(file)}  {name}\n" for name, file in files)
    return hashlib.sha256(listing.encode("utf-8", "surrogateescape")).hexdigest()


def _hash(path: Path) -> str:
    if not path.is_file():
        raise OSError(f"{path} is not a regular file")
    found = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()
