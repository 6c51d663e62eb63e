import numpy as np
import pytest

from backend.episodes.remux import concatenate, count_frames, cut, stream_key
from backend.episodes.store import video_path
from backend.episodes.video import VideoReader, VideoWriter, rate_of
from tests.episodes.episode_fixtures import make_header, record, step_in_frame


@pytest.mark.parametrize(
    ("fps", "rate"), [(30.0, "30"), (10.0, "10"), (29.97, "30000/1001"), (12.5, "25/2")]
)
def test_frame_rates_are_exact_fractions(fps, rate):
    assert str(rate_of(fps)) == rate


def test_a_rate_of_nothing_is_refused():
    with pytest.raises(ValueError, match="above 0, got 0"):
        rate_of(0)


def test_odd_pictures_are_refused_with_the_remedy(tmp_path):
    with pytest.raises(ValueError, match=r"65x64 for wrist\.mp4: change the camera's width"):
        VideoWriter(tmp_path / "wrist.mp4", width=65, height=64, fps=10)


def test_colours_survive_within_what_compression_costs(tmp_path):
    writer = VideoWriter(tmp_path / "a.mp4", width=64, height=64, fps=10)
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (128, 128, 128)]
    for colour in colours:
        writer.add(np.full((64, 64, 3), colour, np.uint8))
    writer.close()
    writer.close()

    with VideoReader(tmp_path / "a.mp4") as video:
        for index, colour in enumerate(colours):
            assert np.abs(video.frame(index).mean((0, 1)) - colour).max() < 4


def test_a_cut_keeps_the_first_frames_as_they_were(tmp_path):
    folder = record(tmp_path, num_steps=25)
    source = video_path(folder, "overhead")

    cut(source, 13, tmp_path / "cut.mp4")

    assert count_frames(tmp_path / "cut.mp4") == 13
    with VideoReader(source) as before, VideoReader(tmp_path / "cut.mp4") as after:
        np.testing.assert_array_equal(before.frame(12), after.frame(12))
    with pytest.raises(ValueError, match="holds 25 whole frames, cannot keep 26"):
        cut(source, 26, tmp_path / "more.mp4")


def test_videos_are_joined_without_losing_or_changing_a_frame(tmp_path):
    lengths = [25, 7, 31]
    sources = [
        (video_path(record(tmp_path, make_header(f"e{n}"), num_steps=n), "wrist"), n)
        for n in lengths
    ]
    joined = tmp_path / "joined.mp4"

    concatenate(sources, joined, fps=10.0)

    assert count_frames(joined) == sum(lengths)
    with VideoReader(joined) as video:
        at = 0
        for source, length in sources:
            with VideoReader(source) as original:
                for index in (0, length - 1):
                    np.testing.assert_array_equal(video.frame(at + index), original.frame(index))
                    assert step_in_frame(original.frame(index), "wrist") == index % 30
            at += length


def test_videos_that_cannot_be_joined_are_told_apart(tmp_path):
    folder = record(tmp_path, num_steps=3)
    other = record(tmp_path, make_header("e2"), num_steps=9)

    assert stream_key(video_path(folder, "wrist")) == stream_key(video_path(other, "wrist"))
    assert stream_key(video_path(folder, "wrist")) != stream_key(video_path(other, "overhead"))


def test_a_file_that_is_no_video_has_no_frames(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"nothing of use")

    assert count_frames(path) == 0
    assert count_frames(tmp_path / "missing.mp4") == 0
    with pytest.raises(ValueError, match="no readable video"):
        VideoReader(path)
    with pytest.raises(FileNotFoundError):
        VideoReader(tmp_path / "missing.mp4")
