"""Videos: stages on threads, broken frames, ids over time, every N-th frame, what is written."""

import threading
import time

import cv2
import numpy as np
import pytest

from fer_keras import Predictor
from fer_keras.faces.face_reader import FaceReader
from fer_keras.faces.finder import FaceFinder, FinderOptions
from fer_keras.faces.opencv_threads import one_opencv_thread
from fer_keras.video.frames import VideoFile, VideoWriter
from fer_keras.video.threads import staged
from fer_keras.video.video_reading import VideoOptions, read_video


@pytest.fixture(scope="module")
def reader(model_files, detector_options):
    return FaceReader(Predictor.load(model_files, "onnx"), FaceFinder(FinderOptions(**detector_options)))


def test_stages_pass_on_values_errors_and_the_end():
    assert list(staged(staged(range(100), 2), 2)) == list(range(100))

    def failing():
        yield 1
        raise ValueError("broken")

    stream = staged(failing())
    assert next(stream) == 1
    with pytest.raises(ValueError, match="broken"):
        next(stream)


def test_a_stage_that_is_closed_leaves_no_thread():
    before, closed = threading.active_count(), []

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    stream = staged(staged(endless(), 2), 2)
    next(stream)
    stream.close()
    for _ in range(50):
        if threading.active_count() == before and closed:
            break
        time.sleep(0.1)
    assert threading.active_count() == before and closed


def test_opencv_keeps_to_one_thread_while_videos_are_read_and_gets_its_threads_back(reader, moving):
    before, seen = cv2.getNumThreads(), []
    cv2.setNumThreads(2)
    try:
        with one_opencv_thread:  # another video, read at the same time
            read_video(moving, reader, advance=lambda count: seen.append(cv2.getNumThreads()))
            assert cv2.getNumThreads() == 1 and set(seen) == {1}
        assert cv2.getNumThreads() == 2
        with pytest.raises(KeyboardInterrupt):
            read_video(moving, reader, advance=interrupt)
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)


def interrupt(count):
    raise KeyboardInterrupt


def test_faces_keep_their_ids_through_a_video(reader, moving, tmp_path):
    steps = []
    found = read_video(moving, reader, annotated=tmp_path / "new" / "out.mp4", advance=steps.append)
    assert (found.frames, found.read, found.broken, found.faces, sum(steps)) == (40, 40, 0, 2, 40)
    first = min((row for row in found.rows if row["frame"] == 0), key=lambda row: row["face_box"])
    left = {row["frame"]: row for row in found.rows if row["id"] == first["id"]}
    assert len(found.rows) == 75 and not any(15 <= frame < 20 for frame in left), "gone, and back under the same id"
    assert left[39]["face_box"][0] - left[0]["face_box"][0] == pytest.approx(39, abs=5)
    assert found.rows[-1]["seconds"] == pytest.approx(39 / 20, abs=0.01)
    copy = VideoFile(tmp_path / "new" / "out.mp4")
    frames, originals = list(copy.frames()), list(VideoFile(moving).frames())
    assert len(frames) == 40 and copy.size == (240, 320) and copy.rate == 20
    assert np.abs(frames[5].image[:60].astype(int) - originals[5].image[:60]).max() < 40, "drawn beside faces only"
    assert np.abs(frames[5].image[70:150].astype(int) - originals[5].image[70:150]).max() > 100
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["out.mp4"]


def test_scores_are_those_of_single_frames_smoothed(reader, moving):
    plain = read_video(moving, reader, VideoOptions(smoothing=0)).rows
    frame = next(iter(VideoFile(moving).frames())).image
    direct = sorted(reader.read(frame), key=lambda reading: reading.face_box)
    rows = sorted((row for row in plain if row["frame"] == 0), key=lambda row: row["face_box"])
    for row, reading in zip(rows, direct, strict=True):
        assert row["probabilities"] == pytest.approx(reading.probabilities, abs=1e-5)
        assert row["face_box"] == pytest.approx(reading.face_box, abs=1e-4)
    smooth = read_video(moving, reader, VideoOptions(smoothing=0.9)).rows
    spread = [np.std([row["valence"] for row in rows if row["id"] == 2]) for rows in (plain, smooth)]
    assert spread[1] < spread[0]


def test_every_nth_frame_is_read_and_all_are_written(reader, moving, tmp_path):
    found = read_video(moving, reader, VideoOptions(every=4), annotated=tmp_path / "out.avi")
    assert (found.frames, found.read, found.faces) == (40, 10, 2)
    assert {row["frame"] for row in found.rows} == set(range(0, 40, 4))
    assert len(list(VideoFile(tmp_path / "out.avi").frames())) == 40
    with pytest.raises(ValueError, match="--every expects"):
        VideoOptions(every=0)


def test_a_video_without_faces_has_one_row(reader, tmp_path):
    with VideoWriter(tmp_path / "empty.mp4", (120, 160), 10) as writer:
        for _ in range(5):
            writer.write(np.full((120, 160, 3), 60, np.uint8))
    found = read_video(tmp_path / "empty.mp4", reader)
    assert [row["face"] for row in found.rows] == [None] and found.frames == 5 and found.faces == 0


def test_a_truncated_video_is_read_as_far_as_it_goes(moving, reader, tmp_path):
    path = tmp_path / "cut.avi"
    with VideoWriter(path, (240, 320), 20) as writer:
        for frame in VideoFile(moving).frames():
            writer.write(frame.image)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    found = read_video(path, reader)
    assert 10 <= found.frames < 40 and found.faces == 2
    (tmp_path / "no.mp4").write_bytes(b"not a video")
    with pytest.raises(ValueError, match="Unreadable video"):
        read_video(tmp_path / "no.mp4", reader)
    with pytest.raises(FileNotFoundError, match="none.mp4"):
        VideoFile(tmp_path / "none.mp4")


def test_broken_frames_are_counted_and_passed_over(moving, monkeypatch):
    video = VideoFile(moving)
    true, calls = video._capture, []

    class Sick:
        """A decoder that fails on frames 3, 4 and 20."""

        def grab(self):
            calls.append(1)
            return true.grab() and len(calls) - 1 not in (3, 4)

        def retrieve(self, into=None):
            whole, image = true.retrieve(into)
            return whole and len(calls) - 1 != 20, image

        def __getattr__(self, name):
            return getattr(true, name)

    video._capture = Sick()
    numbers = [frame.number for frame in video.frames()]
    assert numbers == [number for number in range(40) if number not in (3, 4, 20)]
    assert (video.decoded, video.broken) == (37, 3)


def test_a_stopped_writer_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), VideoWriter(tmp_path / "out.mp4", (120, 160), 10) as writer:
        writer.write(np.zeros((120, 160, 3), np.uint8))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match=r"written as .mp4 or .avi"):
        VideoWriter(tmp_path / "out.gif", (120, 160), 10)


def test_faces_of_many_pictures_are_read_together(reader, group, astronaut, tmp_path, monkeypatch):
    cv2.imwrite(str(tmp_path / "group.png"), group[:, :, ::-1])
    (tmp_path / "bad.png").write_bytes(b"")
    calls = []
    run = type(reader.predictor.runtime).run
    monkeypatch.setattr(
        type(reader.predictor.runtime), "run", lambda self, faces: (calls.append(len(faces)), run(self, faces))[1]
    )
    sources = [tmp_path / "group.png", tmp_path / "bad.png", astronaut, np.zeros((50, 50, 3), np.uint8)]
    found = list(reader.read_many(sources, keep_going=True))
    assert [len(faces) for faces in found] == [12, 0, 1, 0] and calls == [13]
    assert "empty file" in found[1].error and found[0].error is None
    alone = reader.read(astronaut)[0]
    assert alone.probabilities == pytest.approx(found[2][0].probabilities, abs=1e-5)
    with pytest.raises(ValueError, match="empty file"):
        list(reader.read_many(sources))


def test_what_is_seen_in_one_frame_only_is_no_face():
    from fer_keras.video.video_reading import followed_rows

    rows = [{"id": 1}, {"id": 2}, {"id": 1}, {"id": 3}, {"id": 3}]
    assert followed_rows(rows) == ([{"id": 1}, {"id": 1}, {"id": 3}, {"id": 3}], 1)
