"""Critic videos: what is on the pictures, and that a video is made when something changed."""

import av
import numpy as np
import pytest

from backend.domain import Outcome
from backend.episodes.scores import EpisodeScores, write_scores
from backend.jobs.child import JobChild, JobFailedError
from backend.jobs.critic_picture import Caption, CriticPicture, Curves
from backend.jobs.picture_style import HUMAN, POLICY, SUCCESS
from backend.jobs.video import make_videos
from backend.jobs.video_params import VideoParamsError, critic_video_path, read_video_params
from tests.jobs.train_fixtures import graded, write_orders

__all__ = ["graded"]


def curves(n=40, **changes):
    fields = {
        "value": np.linspace(-0.9, -0.1, n),
        "spread": np.full(n, 0.05),
        "advantage": np.sin(np.arange(n) / 4),
        "word": np.where(np.sin(np.arange(n) / 4) > 0, "positive", "negative"),
        "is_human": np.zeros(n, dtype=bool),
        "value_range": (-1.0, 0.0),
        "fps": 10.0,
    }
    return Curves(**{**fields, **changes})


def picture(shown, cameras=None):
    caption = Caption(
        task="Touch the red cube",
        outcome=Outcome.SUCCESS,
        critic="touch/000500",
        episode="e0",
        why_empty="not scored yet",
    )
    return CriticPicture(shown, caption, cameras or {"overhead": (96, 64), "wrist": (64, 64)})


def frame(drawn, step):
    pictures = {
        "overhead": np.full((64, 96, 3), 90, np.uint8),
        "wrist": np.full((64, 64, 3), 30, np.uint8),
    }
    return drawn.frame(step, pictures)


def count(part, colour, within=30):
    return int((np.abs(part.astype(int) - np.array(colour)).sum(axis=-1) < within).sum())


def test_pictures_have_even_sizes_and_the_cameras_side_by_side():
    drawn = picture(curves())
    shown = frame(drawn, 5)

    assert shown.shape == (drawn.height, drawn.width, 3)
    assert (drawn.height % 2, drawn.width % 2) == (0, 0)
    row = shown[drawn.height // 4]
    assert (row == 90).all(axis=1).sum() > (row == 30).all(axis=1).sum() > 100


def test_the_past_is_bright_and_the_future_dim():
    drawn = picture(curves())

    early, late = (count(frame(drawn, step), POLICY) for step in (1, 39))

    assert late > 5 * max(1, early)


def test_human_spans_are_shaded_and_named():
    human = np.zeros(40, dtype=bool)
    human[10:20] = True

    shaded, plain = frame(picture(curves(is_human=human)), 39), frame(picture(curves()), 39)

    assert count(shaded, HUMAN) > count(plain, HUMAN)
    assert not np.array_equal(shaded[-200:], plain[-200:])


def test_positive_chunks_are_drawn_above_the_middle_and_negative_below():
    drawn = picture(curves())
    shown = frame(drawn, 39)[-136:-26]
    green = tuple(round(0.8 * channel) for channel in SUCCESS)

    rows = np.flatnonzero([count(row[60:-20], green, 12) for row in shown])
    red = np.flatnonzero([count(row[60:-20], (192, 77, 77), 12) for row in shown])

    assert np.median(rows) < np.median(red)


def test_without_a_score_the_picture_says_so():
    nothing = np.full(40, np.nan)
    empty = curves(value=nothing, spread=nothing, advantage=nothing, word=np.full(40, ""))

    shown = frame(picture(empty), 20)

    assert count(shown[-326:-136], (140, 148, 162), 60) > 100


def test_a_value_that_was_not_always_known_leaves_a_gap():
    value = np.linspace(-0.9, -0.1, 40)
    value[5:30] = np.nan

    whole, torn = (count(frame(picture(curves(value=v)), 39), POLICY) for v in (
        np.linspace(-0.9, -0.1, 40), value,
    ))  # fmt: skip

    assert torn < whole / 2


def run(data_dir, job_id, **params):
    write_orders(data_dir, job_id, "video", **params)
    child = JobChild(data_dir=data_dir, job_id=job_id, clock=lambda: 0.0)
    try:
        return make_videos(child)
    finally:
        child.close()


def test_a_video_plays_everywhere_and_is_made_once(graded):
    data_dir, _ = graded
    first = run(data_dir, "a", checkpoint="touch/000500", episodes=["e1"])
    again = run(data_dir, "b", checkpoint="touch/000500", episodes=["e1"])

    assert [made["path"] for made in first["videos"]] == ["videos/touch/000500/e1.mp4"]
    assert (again["videos"], again["known"]) == ([], 1)
    path = data_dir / "videos/touch/000500/e1.mp4"
    content = path.read_bytes()
    assert 0 < content.find(b"moov") < content.find(b"mdat")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == 10
        assert sum(1 for _ in container.decode(stream)) == 15


def test_a_score_that_arrives_later_makes_the_video_new(graded):
    data_dir, _ = graded
    run(data_dir, "a", checkpoint="touch/000500", episodes=["e1"])
    numbers = np.zeros(15)
    write_scores(
        data_dir,
        EpisodeScores(
            checkpoint_id="touch/000500", episode_id="e1", value=numbers, spread=numbers,
            advantage=numbers, word=np.full(15, "positive"), label_revision=2,
            outcome=Outcome.SUCCESS, value_range=(-1.0, 0.0), thresholds={},
            has_own_thresholds=True, created_s=5.0,
        ),
    )  # fmt: skip

    again = run(data_dir, "b", checkpoint="touch/000500", episodes=["e1"])

    assert [made["episode_id"] for made in again["videos"]] == ["e1"]


def test_every_so_many_episodes_of_a_filter_get_a_video(graded):
    made = run(graded[0], "a", episodes="all", every=3)

    assert [video["episode_id"] for video in made["videos"]] == ["e0", "e3"]
    assert critic_video_path(graded[0], None, "e3").is_file()


def test_nothing_to_show_and_orders_that_make_no_sense_are_said(graded):
    with pytest.raises(JobFailedError, match="no episode to show"):
        run(graded[0], "a", episodes={"q": "nobody"})
    with pytest.raises(VideoParamsError, match="named run/step"):
        read_video_params({"checkpoint": "touch"}, graded[0])
    with pytest.raises(VideoParamsError, match="every is a whole number above 0, got 0"):
        read_video_params({"every": 0}, graded[0])


def test_a_video_that_cannot_be_made_names_its_reason_and_stops_no_other(graded):
    data_dir, _ = graded
    (data_dir / "episodes/e0/wrist.mp4").write_bytes(b"torn")

    made = run(data_dir, "a", episodes=["e0", "e1"])

    assert [video["episode_id"] for video in made["videos"]] == ["e1"]
    assert "wrist.mp4 is no readable video" in made["skipped"][0]["reason"]
    left = sorted(p.name for p in (data_dir / "videos/recorded").iterdir())
    assert left == ["e1.json", "e1.mp4"]
