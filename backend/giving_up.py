"""Episodes of another computer that people no longer expect, and those that come after all.

What came of one goes to the trash folder and is not deleted. There it can be told from an episode
or a take, so that the upload goes on from it when somebody wants that.
"""

from pathlib import Path

from backend.db.engine import Database
from backend.db.models import EpisodeRow
from backend.domain import EpisodeState
from backend.episodes.files import fsync_path
from backend.episodes.format import FINAL_FILE, HEADER_FILE, STEPS_FILE
from backend.episodes.recovery import DISCARDED_DIR
from backend.intake import INCOMING_DIR

# What the folder of an episode or a take has, and that of an upload has not.
OF_EPISODES = (HEADER_FILE, STEPS_FILE, FINAL_FILE)


def give_up_coming(database: Database, data_dir: Path, episode_id: str) -> bool:
    """Expect an episode from another computer no longer; what came of it goes to the trash folder.

    Returns:
        False where none is expected, or where it is still being recorded.
    """
    folder = data_dir / INCOMING_DIR / episode_id
    trash = data_dir / DISCARDED_DIR
    with database.write() as db:
        row = db.get(EpisodeRow, episode_id)
        if not folder.is_dir() or (row is not None and row.state == EpisodeState.RECORDING):
            return False
        trash.mkdir(exist_ok=True)
        destination = trash / episode_id
        # Another episode of that id may lie there.
        folder.rename(destination.with_suffix(".upload") if destination.exists() else destination)
        fsync_path(trash)
        fsync_path(folder.parent)
        if row is not None and row.state == EpisodeState.UPLOADING:
            row.state = EpisodeState.DISCARDED
    return True


def was_given_up(data_dir: Path, episode_id: str) -> bool:
    """Whether the trash folder holds what came of an upload, and no episode or take."""
    folder = data_dir / DISCARDED_DIR / episode_id
    return folder.is_dir() and not any((folder / name).exists() for name in OF_EPISODES)


def expect_again(database: Database, data_dir: Path, episode_id: str) -> None:
    """Go on with an upload that was given up; does nothing about any other."""
    if not was_given_up(data_dir, episode_id):
        return
    incoming = data_dir / INCOMING_DIR
    incoming.mkdir(exist_ok=True)
    with database.write() as db:
        (data_dir / DISCARDED_DIR / episode_id).rename(incoming / episode_id)
        fsync_path(incoming)
        row = db.get(EpisodeRow, episode_id)
        if row is not None and row.state == EpisodeState.DISCARDED:
            row.state = EpisodeState.UPLOADING
