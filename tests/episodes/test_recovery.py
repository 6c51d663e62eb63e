import numpy as np
import pytest

from backend.domain import EndReason, Outcome
from backend.episodes.recovery import RecoveryError, discard, find_unfinished, recover
from backend.episodes.remux import count_frames
from backend.episodes.store import EpisodeWriter, read_end, read_steps, video_path
from backend.episodes.video import VideoReader
from tests.episodes.episode_fixtures import make_header, make_step, record, step_in_frame


def leave_unfinished(episodes_dir, id="e1", *, num_steps=25, **changes):
    header = make_header(id, **changes)
    writer = EpisodeWriter.create(episodes_dir, header)
    for step in range(num_steps):
        writer.add(make_step(step, header, human=step >= 20))
    writer.close()
    return writer.folder


def tear(path, num_bytes):
    path.write_bytes(path.read_bytes()[:-num_bytes])


def test_a_torn_take_is_cut_to_what_is_whole_everywhere(tmp_path):
    folder = leave_unfinished(tmp_path)
    tear(folder / "steps.arrow", 40)
    overhead = video_path(folder, "overhead")
    tear(overhead, int(overhead.stat().st_size * 0.3))
    whole = min(count_frames(overhead), 20)
    assert 5 <= whole < 20

    end = recover(folder)

    assert end.num_steps == whole
    assert end.end_reason is EndReason.RECOVERED
    assert end.outcome is Outcome.NONE
    assert read_end(folder) == end
    np.testing.assert_array_equal(read_steps(folder).step, np.arange(whole))
    for camera in ("overhead", "wrist"):
        assert count_frames(video_path(folder, camera)) == whole
        with VideoReader(video_path(folder, camera)) as video:
            assert step_in_frame(video.frame(whole - 1), camera) == whole - 1
            assert step_in_frame(video.frame(2), camera) == 2
    assert find_unfinished(tmp_path) == []


def test_human_steps_are_counted_again(tmp_path):
    end = recover(leave_unfinished(tmp_path, num_steps=25))

    assert (end.num_steps, end.num_human_steps) == (25, 5)


def test_recovering_twice_is_harmless(tmp_path):
    folder = leave_unfinished(tmp_path)

    assert recover(folder) == recover(folder)


def test_unfinished_takes_are_listed_oldest_first_and_others_are_not(tmp_path):
    record(tmp_path, make_header("finished"))
    leave_unfinished(tmp_path, "later", started_s=2_000.0)
    leave_unfinished(tmp_path, "earlier", started_s=1_000.0)
    (tmp_path / "empty").mkdir()
    running = EpisodeWriter.create(tmp_path, make_header("running"))

    takes = find_unfinished(tmp_path)
    running.close()

    assert [(take.id, take.num_steps) for take in takes] == [
        ("empty", 0),
        ("earlier", 25),
        ("later", 25),
    ]


def test_a_take_that_is_being_recorded_is_left_alone(tmp_path):
    writer = EpisodeWriter.create(tmp_path, make_header())

    with pytest.raises(RecoveryError, match="still being recorded"):
        recover(writer.folder)
    with pytest.raises(RecoveryError, match="still being recorded"):
        discard(writer.folder, tmp_path / "discarded")
    writer.close()


def test_a_take_without_a_whole_step_can_only_be_discarded(tmp_path):
    folder = leave_unfinished(tmp_path / "episodes", num_steps=0)

    with pytest.raises(RecoveryError, match="no whole step: discard it"):
        recover(folder)
    moved = discard(folder, tmp_path / "discarded")

    assert not folder.exists()
    assert (moved / "header.json").is_file()


def test_a_finished_episode_is_never_discarded(tmp_path):
    folder = record(tmp_path)

    with pytest.raises(RecoveryError, match="exclude it from training"):
        discard(folder, tmp_path / "discarded")
