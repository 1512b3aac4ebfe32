"""What lies under a folder: links followed once, hidden and foreign files counted, pictures told by content."""

import os

import pytest
from faces_on_disk import write_classes, write_face

from fer_keras.data.loading import load_index
from fer_keras.prediction.sources import list_images
from fer_keras.readers.listing import find_pictures, walk_folder
from fer_keras.readers.spec import load_spec


def test_every_file_is_listed_by_its_folder(tmp_path):
    for name in ["a.png", "b/c.png", "b/d/e.png"]:
        write_face(tmp_path / name, 0)
    (tmp_path / "empty").mkdir()
    assert walk_folder(tmp_path) == {".": ["a.png"], "b": ["c.png"], "b/d": ["e.png"], "empty": []}


def test_linked_folders_are_followed_once(tmp_path):
    disk, root = tmp_path / "disk", tmp_path / "albums"
    write_face(disk / "holiday.jpg", 0, ".jpg")
    root.mkdir()
    (root / "2024").symlink_to(disk)
    (root / "again").symlink_to(disk)
    (root / "loop").symlink_to(root)
    (root / "everything").symlink_to("/")
    (root / "broken").symlink_to(tmp_path / "nowhere")
    (disk / "back").symlink_to(root)
    listing = walk_folder(root)
    assert listing == {".": ["broken"], "2024": ["holiday.jpg"]}
    assert listing.notes.counts == {
        "linked folder that is read already": 3,
        "linked folder that this one lies in": 1,
    }
    assert [path.relative_to(root).as_posix() for path in find_pictures(root).paths] == ["2024/holiday.jpg"]


def test_a_link_beside_its_target_reads_the_target(tmp_path):
    write_face(tmp_path / "z" / "a.png", 0)
    (tmp_path / "a").symlink_to(tmp_path / "z")
    assert walk_folder(tmp_path)["z"] == ["a.png"] and "a" not in walk_folder(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="links need no rights on POSIX alone")
def test_a_data_set_of_links_is_read_as_its_files_are(tmp_path):
    write_classes(tmp_path / "real")
    (tmp_path / "linked").mkdir()
    for folder in (tmp_path / "real").iterdir():
        (tmp_path / "linked" / folder.name).symlink_to(folder)
    spec = load_spec("image_folder")
    one, other = (load_index(spec, tmp_path / name, tmp_path / "cache") for name in ("real", "linked"))
    assert len(one) == 16 and one.fingerprint() == other.fingerprint()


def test_pictures_are_found_by_suffix_or_content_and_the_rest_is_named(tmp_path):
    for name, form in (("a.jfif", ".jpg"), ("b", ".jpg"), ("c.txt", ".png"), ("d.JPG", ".jpg"), ("e.pgm", ".pgm")):
        write_face(tmp_path / name, 0, form)
    (tmp_path / "notes.txt").write_text("x")
    write_face(tmp_path / ".hidden.png", 0)
    write_face(tmp_path / ".git" / "a.png", 0)
    write_face(tmp_path / "__MACOSX" / "._a.png", 0)
    found = find_pictures(tmp_path)
    assert [path.name for path in found.paths] == ["a.jfif", "b", "c.txt", "d.JPG", "e.pgm"]
    assert found.others.counts == {"hidden file": 1, "hidden folder": 2, "file that is no image": 1}
    assert found.others.examples["file that is no image"] == ["notes.txt"]
    assert list_images(tmp_path) == (found.paths, 4)
    with pytest.raises(FileNotFoundError, match="No folder there"):
        find_pictures(tmp_path / "none")


@pytest.mark.skipif(os.name != "posix", reason="names of any bytes exist on POSIX alone")
def test_names_that_are_no_text_are_counted(tmp_path):
    write_classes(tmp_path, ("happy", "sad"))
    try:
        os.rename(tmp_path / "sad" / "1.png", os.fsencode(tmp_path / "sad") + b"/\xff.png")
    except OSError:
        pytest.skip("this disk takes UTF-8 names only")
    report = load_index(load_spec("image_folder"), tmp_path, tmp_path / "cache").report
    assert report.found == 3 and report.warnings == {"file or folder whose name is not UTF-8": 1}
    assert report.examples["file or folder whose name is not UTF-8"] == ["sad/\\xff.png"]
