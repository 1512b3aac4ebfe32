"""Files of arrays that are damaged or claim what they do not have: one line each, in little time and memory."""

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fer_keras.readers.array_file import load_arrays


def refusal(path: Path) -> str:
    with pytest.raises(ValueError) as error:
        load_arrays(path, "images")
    text = str(error.value)
    assert "\n" not in text and str(path) in text and len(text) < 600
    return text


def npz(path: Path, header: str, data: bytes = b"", compression=zipfile.ZIP_DEFLATED) -> Path:
    """Write an archive of one array whose header is given as text."""
    head = header.encode("latin1") + b"\n"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + data)
    return path


HEADERS = {
    "{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000,)}": "announces 1,000,000,000,000 bytes",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (9223372036854775807, 9)}": "announces",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 3)}": "shape",
    "{'descr': '|O', 'fortran_order': False, 'shape': (3,)}": "Python objects",
    "{'descr': '<M8[s]', 'fortran_order': False, 'shape': (300,)}": "announces",
    "{'descr': [('a', '<f4')] * 9, 'shape': ()}": "",
    "(" * 500: "",
    "nothing": "",
}


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: header[:60])
def test_headers_that_claim_too_much_are_refused(tmp_path, header):
    assert HEADERS[header] in refusal(npz(tmp_path / "x.npz", header, bytes(32)))


def test_damaged_deflate_and_cut_files(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", images=np.random.default_rng(0).integers(0, 255, (50, 48, 48), np.uint8))
    whole = (tmp_path / "x.npz").read_bytes()
    for place in range(60, 400, 17):
        damaged = bytearray(whole)
        damaged[place : place + 4] = b"\xff\xff\xff\xff"
        (tmp_path / "x.npz").write_bytes(damaged)
        refusal(tmp_path / "x.npz")
    for length in (0, 2, 30, 200, len(whole) - 5):
        (tmp_path / "x.npz").write_bytes(whole[:length])
        refusal(tmp_path / "x.npz")


def test_a_small_file_that_unfolds_into_more_than_the_memory_is_refused_unread(tmp_path, monkeypatch):
    from fer_keras.readers import array_file

    np.savez_compressed(tmp_path / "x.npz", images=np.zeros((300, 100, 100), np.uint8))
    assert load_arrays(tmp_path / "x.npz", "images")["images"].shape == (300, 100, 100)
    monkeypatch.setattr(array_file, "memory_bytes", lambda: 2_000_000)
    assert "more than this machine's memory" in refusal(tmp_path / "x.npz")


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS")
def test_a_claim_of_a_terabyte_takes_no_memory(tmp_path):
    """In a process of its own, with limits of time and memory."""
    path = npz(tmp_path / "x.npz", "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}", bytes(64))
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))\n"
        "from pathlib import Path\nfrom fer_keras.readers.array_file import load_arrays\n"
        "try: load_arrays(Path(sys.argv[1]), 'images')\nexcept ValueError as error: print(error)"
    )
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2])
    assert done.returncode == 0 and done.stdout.count("\n") == 1 and "announces 8,000,000,000,000 bytes" in done.stdout


def test_members_that_are_no_arrays_and_text_that_is_none_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("images.npy", b"nothing of NumPy's")
    assert "images is no array" in refusal(tmp_path / "x.npz")
    for order in "<>":
        np.savez(tmp_path / "x.npz", emotion=np.array([2**31 - 1, 65], f"{order}u4").view(f"{order}U1"))
        assert "emotion holds text that is none" in refusal(tmp_path / "x.npz")
    words = np.array(["happy", "", "é😀"])
    np.savez(
        tmp_path / "x.npz", emotion=words, turned=words.astype(">U5"), none=np.array([], "U3"), empty=np.array([""])
    )
    assert load_arrays(tmp_path / "x.npz", "emotion")["turned"].tolist() == words.tolist()
