import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backend.domain import Driver, EndReason, Outcome
from backend.episodes.files import is_locked
from backend.episodes.format import EpisodeEnd
from backend.episodes.recovery import recover
from backend.episodes.remux import count_frames
from backend.episodes.store import (
    EpisodeFormatError,
    EpisodeWriter,
    read_end,
    read_header,
    read_steps,
    video_path,
)
from backend.episodes.video import VideoReader
from tests.episodes.episode_fixtures import make_header, make_step, record, step_in_frame


def test_an_episode_reads_back_as_it_was_written(tmp_path):
    header = make_header()

    folder = record(tmp_path, header, num_steps=25, human=range(5, 10))

    steps = read_steps(folder)
    assert read_header(folder) == header
    assert read_end(folder).outcome is Outcome.SUCCESS
    assert read_end(folder).num_human_steps == 5
    assert len(steps) == 25
    np.testing.assert_array_equal(steps.step, np.arange(25))
    np.testing.assert_allclose(steps.timestamp_s, np.arange(25) / 10)
    np.testing.assert_array_equal(steps.state[:, 2], np.arange(25))
    np.testing.assert_array_equal(steps.action[:, 0], np.arange(25) + 0.5)
    np.testing.assert_array_equal(steps.requested[:, 0], np.arange(25) + 0.75)
    assert steps.action.dtype == np.float32
    assert list(np.flatnonzero(steps.is_human)) == [5, 6, 7, 8, 9]
    assert steps.driver[0] == Driver.POLICY
    assert np.isnan(steps.value[[0, 3, 24]]).all()
    assert steps.value[4] == pytest.approx(-0.04)
    np.testing.assert_allclose(steps.frame_wall_s["wrist"], steps.wall_s - 0.02)


@pytest.mark.parametrize("camera", ["overhead", "wrist"])
def test_every_frame_of_a_video_belongs_to_its_row(tmp_path, camera):
    folder = record(tmp_path, num_steps=25)

    with VideoReader(video_path(folder, camera)) as video:
        for index in (0, 24, 7, 8, 9, 3, 20, 10, 0):
            assert step_in_frame(video.frame(index), camera) == index
        with pytest.raises(IndexError, match="ends before frame 25"):
            video.frame(25)


def test_a_folder_is_locked_and_not_final_while_it_is_written(tmp_path):
    header = make_header()
    writer = EpisodeWriter.create(tmp_path, header)
    writer.add(make_step(0, header))

    assert is_locked(writer.folder)
    assert read_end(writer.folder) is None

    writer.close()
    writer.close()

    assert not is_locked(writer.folder)
    assert read_end(writer.folder) is None
    assert len(read_steps(writer.folder)) == 1
    assert count_frames(video_path(writer.folder, "wrist")) == 1


def test_an_attempt_that_ended_before_its_first_step_is_still_an_episode(tmp_path):
    folder = record(tmp_path, num_steps=0, outcome=Outcome.NONE, end_reason=EndReason.ABORT)

    assert read_end(folder).end_reason is EndReason.ABORT
    assert len(read_steps(folder)) == 0
    assert not video_path(folder, "wrist").exists()


def test_steps_that_do_not_fit_are_refused_by_name(tmp_path):
    header = make_header()
    writer = EpisodeWriter.create(tmp_path, header)
    good = make_step(0, header)

    with pytest.raises(ValueError, match="expects step 0 next, got step 1"):
        writer.add(make_step(1, header))
    with pytest.raises(ValueError, match=r"action of shape \(3,\).*got \(2,\)"):
        writer.add(type(good)(**{**vars(good), "action": np.zeros(2, np.float32)}))
    with pytest.raises(ValueError, match=r"cameras \['overhead', 'wrist'\], got \['wrist'\]"):
        writer.add(type(good)(**{**vars(good), "frames": {"wrist": good.frames["wrist"]}}))
    writer.add(good)
    with pytest.raises(ValueError, match="has 1 steps"):
        writer.finish(
            EpisodeEnd(
                end_reason=EndReason.ABORT,
                outcome=Outcome.NONE,
                ended_s=0.0,
                num_steps=2,
                num_human_steps=0,
            )
        )
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.add(make_step(1, header))


def test_an_id_is_recorded_once(tmp_path):
    record(tmp_path, num_steps=1)

    with pytest.raises(FileExistsError, match="e1 exists already"):
        EpisodeWriter.create(tmp_path, make_header())


def test_a_folder_of_another_format_version_is_refused_by_name(tmp_path):
    folder = record(tmp_path, num_steps=1)
    header = json.loads((folder / "header.json").read_text())
    (folder / "header.json").write_text(json.dumps(header | {"format_version": 99}))

    with pytest.raises(EpisodeFormatError, match="format version 99"):
        read_header(folder)


def test_a_torn_tail_costs_only_the_torn_batch(tmp_path):
    folder = record(tmp_path, num_steps=25)
    path = folder / "steps.arrow"
    path.write_bytes(path.read_bytes()[:-40])

    steps = read_steps(folder)

    np.testing.assert_array_equal(steps.step, np.arange(20))


RECORDER = """
import sys
from pathlib import Path
from backend.episodes.store import EpisodeWriter
from tests.episodes.episode_fixtures import make_header, make_step

header = make_header()
writer = EpisodeWriter.create(Path(sys.argv[1]), header)
for step in range(int(sys.argv[2])):
    writer.add(make_step(step, header))
print("written", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("num_steps", [36, 40, 41])
def test_a_killed_recorder_loses_at_most_its_last_second(tmp_path, num_steps):
    child = subprocess.Popen(
        [sys.executable, "-c", RECORDER, str(tmp_path), str(num_steps)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert child.stdout.readline() == b"written\n"
    folder = tmp_path / "e1"
    assert is_locked(folder)

    os.kill(child.pid, signal.SIGKILL)
    child.communicate()

    second = 10
    assert not is_locked(folder)
    assert read_end(folder) is None
    assert num_steps - second <= len(read_steps(folder)) <= num_steps
    for camera in ("overhead", "wrist"):
        whole = count_frames(video_path(folder, camera))
        assert num_steps - second <= whole <= num_steps
        with VideoReader(video_path(folder, camera)) as video:
            assert step_in_frame(video.frame(whole - 1), camera) == (whole - 1) % 30


FULL_DISK = """
import resource, sys
from pathlib import Path
from backend.episodes.store import EpisodeWriter
from tests.episodes.episode_fixtures import make_header, make_step

# Writing beyond this size fails as on a full disk.
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
header = make_header()
writer = EpisodeWriter.create(Path(sys.argv[1]), header)
try:
    for step in range(500):
        writer.add(make_step(step, header))
except OSError:
    pass
try:
    writer.add(make_step(writer.num_steps, header))
except ValueError as error:
    print(error)
try:
    writer.close()
except OSError:
    print("closed", writer.num_steps)
writer.close()
"""


def test_a_full_disk_ends_the_take_and_what_was_written_can_be_recovered(tmp_path):
    child = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
        check=True,
    )

    first, last = child.stdout.splitlines()
    assert "could not be written: close it and recover what was" in first
    assert not is_locked(tmp_path / "e1")
    assert recover(tmp_path / "e1").num_steps >= int(last.removeprefix("closed ")) - 20
