"""Video files as people have them: other suffixes, colons in names, pixels that are not square."""

import shutil

import cv2
import numpy as np
import pytest

from fer_keras.prediction.sources import NO_PICTURE, list_sources
from fer_keras.video import frames as frames_module
from fer_keras.video.frames import VideoFile, VideoWriter, shown_size


@pytest.mark.parametrize("suffix", [".3gp", ".MTS", ".flv", ".MP4", ""])
def test_a_named_video_is_one_whatever_it_is_called(suffix, moving, tmp_path):
    path = tmp_path / f"clip{suffix}"
    shutil.copy(moving, path)
    pictures, videos, _ = list_sources([path])
    assert not pictures and [video.path for video in videos] == [path]
    assert VideoFile(path).size == (240, 320)


def test_a_program_called_ts_is_no_video_and_a_transport_stream_is(tmp_path):
    (tmp_path / "index.ts").write_text("export const x = 1;\n" * 40)
    (tmp_path / "a.ts").write_bytes((b"G" + bytes(187)) * 4)
    (tmp_path / "b.m2ts").write_bytes((bytes(4) + b"G" + bytes(187)) * 4)
    videos, others = list_sources([tmp_path])[1:]
    assert [video.path.name for video in videos] == ["a.ts", "b.m2ts"]
    assert others.counts == {NO_PICTURE: 1} and others.examples[NO_PICTURE] == [str(tmp_path / "index.ts")]


def test_videos_in_linked_folders_and_of_no_suffix_are_found(moving, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(moving, tmp_path / "elsewhere" / "clip.mp4")
    (tmp_path / "album").mkdir()
    shutil.copy(moving, tmp_path / "album" / "recording")
    (tmp_path / "album" / "2024").symlink_to(tmp_path / "elsewhere")
    pictures, videos, others = list_sources([tmp_path / "album"])
    assert not pictures and [video.path.name for video in videos] == ["clip.mp4", "recording"] and not others.counts


def test_a_time_of_day_in_a_name_is_no_protocol(moving, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(moving, "12:30:05.mp4")
    assert sum(1 for _ in VideoFile("12:30:05.mp4").frames()) == 40
    with VideoWriter("12:31:00.mp4", (48, 64), 10) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8))
    assert VideoFile("12:31:00.mp4").size == (48, 64)


@pytest.mark.parametrize(
    "stored, aspect, shown",
    [((1080, 1440), 4 / 3, (1080, 1920)), ((576, 720), 1, (576, 720)), ((480, 720), 8 / 9, (540, 720))],
)
def test_pixels_are_made_square_and_no_side_shorter(stored, aspect, shown):
    assert shown_size(stored, aspect) == shown


@pytest.mark.parametrize("turn, aspect", [(0, 4 / 3), (90, 3 / 4), (180, 4 / 3), (270, 3 / 4)])
def test_frames_have_the_shape_that_players_show(turn, aspect, moving, monkeypatch):
    told = {cv2.CAP_PROP_SAR_NUM: 4.0, cv2.CAP_PROP_SAR_DEN: 3.0, cv2.CAP_PROP_ORIENTATION_META: float(turn)}

    class Capture:
        def __init__(self, *arguments):
            self._inner = cv2_capture(*arguments)

        def get(self, key):
            return told[key] if key in told else self._inner.get(key)

        def __getattr__(self, name):
            return getattr(self._inner, name)

    cv2_capture = cv2.VideoCapture
    monkeypatch.setattr(frames_module.cv2, "VideoCapture", Capture)
    video = VideoFile(moving)
    expected = shown_size((240, 320), aspect)
    assert video.size == expected
    assert next(video.frames()).image.shape == (*expected, 3)


def test_a_video_of_black_frames_alone_is_no_reading_without_faces(tmp_path):
    """OpenCV's FFmpeg gives black for interlaced frames, as camcorders and DVDs have them, and says nothing."""
    with VideoWriter(tmp_path / "interlaced.mp4", (48, 64), 10) as writer:
        for _ in range(3):
            writer.write(np.zeros((48, 64, 3), np.uint8))
    with pytest.raises(ValueError, match="not all black, as OpenCV gives those of interlaced video.*yadif"):
        list(VideoFile(tmp_path / "interlaced.mp4").frames())


def test_one_frame_with_a_picture_is_enough(tmp_path):
    with VideoWriter(tmp_path / "fade.mp4", (48, 64), 10) as writer:
        for shade in (0, 0, 200, 0):
            writer.write(np.full((48, 64, 3), shade, np.uint8))
    assert len(list(VideoFile(tmp_path / "fade.mp4").frames())) == 4


def test_frames_stay_as_they_were_decoded(moving):
    kept = list(VideoFile(moving).frames())
    copies = [frame.image.copy() for frame in VideoFile(moving).frames()]
    assert all(np.array_equal(frame.image, copy) for frame, copy in zip(kept, copies, strict=True))
    assert len({copy.tobytes() for copy in copies}) > len(copies) // 2
