"""Pictures are decoded once, resized as the policy does it, and found again while unchanged."""

import os

import numpy as np
import pytest

from backend.episodes import frames as frames_module
from backend.episodes.frames import FrameCache, FramesError, Pictures, fitted, remove_unfinished
from backend.episodes.store import video_path
from tests.episodes.episode_fixtures import record, step_in_frame


@pytest.fixture
def pictures(tmp_path):
    folder = record(tmp_path / "episodes", num_steps=25)
    return Pictures(path=video_path(folder, "overhead"), num_frames=25, fps=10)


@pytest.fixture
def cache(tmp_path):
    return FrameCache(tmp_path, owner="job", free_bytes=lambda _: 10**12)


def entries(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache/frames").iterdir())


def test_each_picture_is_where_its_step_is(cache, pictures):
    decoded = cache.fetch(pictures, 48)

    assert decoded.shape == (25, 48, 48, 3)
    assert [step_in_frame(frame[10:36]) for frame in decoded] == list(range(25))


def test_a_wide_picture_lies_centred_between_black_borders():
    square = fitted(np.full((64, 96, 3), 200, np.uint8), 48)

    assert (square[8:40] == 200).all()
    assert not square[:8].any()
    assert not square[40:].any()


def test_the_second_time_nothing_is_decoded(cache, pictures, monkeypatch):
    first = cache.fetch(pictures, 48)
    monkeypatch.setattr(frames_module, "open_video", None)

    again = cache.fetch(pictures, 48)

    assert np.array_equal(first, again)


def test_a_video_that_changed_is_decoded_again(tmp_path, cache, pictures):
    cache.fetch(pictures, 48)
    os.utime(pictures.path, ns=(1, 1))

    assert cache.get(pictures, 48) is None


def test_a_video_that_is_too_short_is_an_error_and_leaves_nothing(tmp_path, cache, pictures):
    longer = Pictures(path=pictures.path, num_frames=26, fps=10)

    with pytest.raises(FramesError, match=r"holds 25 pictures .* the episode has 26 steps"):
        cache.fetch(longer, 48)

    assert entries(tmp_path) == []


def test_a_full_disk_is_said_with_what_is_missing(tmp_path, pictures):
    full = FrameCache(tmp_path, owner="job", free_bytes=lambda _: 0)

    with pytest.raises(FramesError, match="free some, or choose fewer episodes"):
        full.fetch(pictures, 48)


def test_what_was_used_longest_ago_makes_room_and_what_is_in_use_stays(tmp_path, pictures):
    wrist = Pictures(path=pictures.path.with_name("wrist.mp4"), num_frames=25, fps=10)
    old = FrameCache(tmp_path, owner="old", free_bytes=lambda _: 10**12)
    old.fetch(pictures, 32)
    old.fetch(wrist, 32)
    used = {"bytes": 10**12}

    def free(_):
        # Each entry that goes gives back enough.
        return used["bytes"] if len(entries(tmp_path)) == 2 else 10**12

    short = FrameCache(tmp_path, owner="new", free_bytes=free)
    short.get(wrist, 32)
    used["bytes"] = 0
    short.fetch(pictures, 48)

    assert short.get(wrist, 32) is not None
    assert short.get(pictures, 32) is None


def test_what_a_killed_job_left_is_removed(tmp_path, cache):
    (tmp_path / "cache/frames/.job.0.abc.npy").touch()
    (tmp_path / "cache/frames/.other.abc.npy").touch()

    remove_unfinished(tmp_path, "job")

    assert entries(tmp_path) == [".other.abc.npy"]
