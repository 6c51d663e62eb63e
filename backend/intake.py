"""Brings what lies in episode folders into the database: started, finished, recovered, discarded.

An episode that is recorded on another computer has a row before it has a folder here; what is known
of it until then is what its recorder said.

The folder is the truth for an episode's facts, and everything here may be repeated: a row is made
or brought up to date, and the grade given at the end becomes a label event once, recognised by the
command that gave it. `reconcile` does it for all folders when the server starts.
"""

import logging
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.engine import Database
from backend.db.models import CommandRow, EpisodeRow, SessionRow
from backend.db.queries import FINAL_STATES
from backend.domain import EndReason, EpisodeState, Outcome
from backend.episodes import recovery
from backend.episodes.files import is_locked
from backend.episodes.format import EPISODES_DIR, FINAL_FILE, EpisodeEnd, EpisodeHeader
from backend.episodes.imported import IMPORTED_POLICY
from backend.episodes.labels import LabelKind
from backend.episodes.recovery import DISCARDED_DIR, UnfinishedTake
from backend.episodes.store import EpisodeFormatError, read_end, read_header
from backend.review import EpisodeNotFoundError, add_label, current_labels

logger = logging.getLogger(__name__)

# Episodes on their way from another computer, each in a folder of its own.
INCOMING_DIR = "incoming"


@dataclass(frozen=True, kw_only=True)
class Reconciliation:
    """What `reconcile` found."""

    # Finished folders that the database did not know as such.
    ingested: list[str] = field(default_factory=list)
    # Takes that a living recorder writes, and takes that wait for a decision.
    recording: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    # Rows of finished episodes whose folders are gone.
    missing: list[str] = field(default_factory=list)
    # Folders that cannot be read, and why.
    damaged: dict[str, str] = field(default_factory=dict)


def ingest_started(db: Session, folder: Path) -> EpisodeRow:
    """Make the row of an episode that is being recorded; leaves a later state alone.

    Raises:
        EpisodeFormatError: The folder has no readable header.
    """
    return _row(db, read_header(folder), EpisodeState.RECORDING)


def ingest_finished(db: Session, folder: Path) -> EpisodeRow:
    """Make or complete the row of a final episode, and the label event of its grade.

    Raises:
        EpisodeFormatError: The folder is not final, or cannot be read.
    """
    header, end = read_header(folder), read_end(folder)
    if end is None:
        raise EpisodeFormatError(f"episode {folder.name} is not finished")
    recovered = end.end_reason is EndReason.RECOVERED
    row = _row(db, header, EpisodeState.RECOVERED if recovered else EpisodeState.FINISHED)
    row.state = EpisodeState.RECOVERED if recovered else EpisodeState.FINISHED
    row.end_reason = end.end_reason.value
    row.num_steps = end.num_steps
    row.num_human_steps = end.num_human_steps
    row.ended_s = end.ended_s
    db.flush()
    if end.outcome is not Outcome.NONE:
        _ingest_grade(db, header, end)
    return row


def ingest_distant_start(db: Session, header: EpisodeHeader) -> None:
    """An episode is being recorded on another computer, or still is after a break of the link."""
    row = _row(db, header, EpisodeState.RECORDING)
    if row.state == EpisodeState.UPLOADING:
        row.state = EpisodeState.RECORDING


def ingest_distant_end(
    db: Session,
    episode_id: str,
    *,
    end_reason: EndReason,
    num_steps: int,
    num_human_steps: int,
    ended_s: float,
) -> None:
    """It is over there and has yet to come; its grade comes with it."""
    row = db.get(EpisodeRow, episode_id)
    if row is not None and row.state == EpisodeState.RECORDING:
        row.state = EpisodeState.UPLOADING
        row.end_reason = end_reason.value
        row.num_steps = num_steps
        row.num_human_steps = num_human_steps
        row.ended_s = ended_s


def lose_distant(db: Session, data_dir: Path) -> None:
    """Nobody hears the other computer: what it recorded waits there until it sends it."""
    recording = select(EpisodeRow).where(EpisodeRow.state == EpisodeState.RECORDING)
    for row in db.scalars(recording):
        if _is_expected(data_dir, row.id):
            row.state = EpisodeState.UPLOADING


def recover_take(database: Database, data_dir: Path, episode_id: str) -> EpisodeRow:
    """Recover an unfinished take and ingest it.

    Raises:
        EpisodeNotFoundError: There is no such folder.
        RecoveryError: It is still being recorded, or holds no whole step.
    """
    folder = _take_folder(data_dir, episode_id)
    recovery.recover(folder)
    with database.write() as db:
        return ingest_finished(db, folder)


def discard_take(database: Database, data_dir: Path, episode_id: str) -> Path:
    """Move an unfinished take, or what came of one from elsewhere, to the trash folder.

    Returns:
        Where it is now.

    Raises:
        EpisodeNotFoundError: There is no such folder.
        RecoveryError: It is still being recorded, or is finished.
    """
    with database.read() as db:
        row = db.get(EpisodeRow, episode_id)
        is_coming = row is not None and row.state == EpisodeState.UPLOADING
    if is_coming and _is_expected(data_dir, episode_id):
        folder = data_dir / INCOMING_DIR / episode_id
    else:
        folder = _take_folder(data_dir, episode_id)
    destination = recovery.discard(folder, data_dir / DISCARDED_DIR)
    with database.write() as db:
        row = db.get(EpisodeRow, episode_id)
        if row is not None:
            row.state = EpisodeState.DISCARDED
    return destination


def unfinished_takes(data_dir: Path) -> list[UnfinishedTake]:
    """Takes that wait to be recovered or discarded, oldest first."""
    return recovery.find_unfinished(data_dir / EPISODES_DIR)


def reconcile(database: Database, data_dir: Path) -> Reconciliation:
    """Make the database agree with the folders; nothing in a folder is changed."""
    found = Reconciliation()
    takes = {take.id: take for take in unfinished_takes(data_dir)}
    folders = {
        folder.name: folder
        for folder in sorted((data_dir / EPISODES_DIR).glob("[!.]*"))
        if folder.is_dir()
    }
    with database.write() as db:
        known = {row.id: row for row in db.scalars(select(EpisodeRow))}
        for id, folder in folders.items():
            row = known.get(id)
            try:
                _reconcile_folder(db, folder, row, takes.get(id), found)
            except EpisodeFormatError as error:
                found.damaged[id] = str(error)
        for id in known.keys() - folders.keys():
            _reconcile_row(known[id], found, is_expected=_is_expected(data_dir, id))
    return found


def _reconcile_folder(
    db: Session,
    folder: Path,
    row: EpisodeRow | None,
    take: UnfinishedTake | None,
    found: Reconciliation,
) -> None:
    if (folder / FINAL_FILE).exists():
        if row is None or row.state not in FINAL_STATES:
            ingest_finished(db, folder)
            found.ingested.append(folder.name)
    elif is_locked(folder):
        ingest_started(db, folder)
        found.recording.append(folder.name)
    else:
        found.unfinished.append(folder.name)
        if take is None or take.header is None:
            raise EpisodeFormatError(f"{folder} has no readable header or steps")
        row = _row(db, take.header, EpisodeState.UNFINISHED)
        row.state = EpisodeState.UNFINISHED
        row.num_steps = take.num_steps


def _reconcile_row(row: EpisodeRow, found: Reconciliation, *, is_expected: bool) -> None:
    if row.state == EpisodeState.UPLOADING or (row.state == EpisodeState.RECORDING and is_expected):
        # Another computer has it.
        return
    if row.state in FINAL_STATES:
        found.missing.append(row.id)
        logger.error("the folder of episode %s is gone; its row and labels are kept", row.id)
    else:
        row.state = EpisodeState.DISCARDED


def _row(db: Session, header: EpisodeHeader, state: EpisodeState) -> EpisodeRow:
    """The episode's row, made from its header in `state` if there is none."""
    row = db.get(EpisodeRow, header.id)
    if row is not None:
        return row
    known_session = db.get(SessionRow, header.session_id) is not None
    row = EpisodeRow(
        id=header.id,
        # A take from another data directory may name a session that is not here.
        session_id=header.session_id if known_session else None,
        number=header.number,
        state=state.value,
        end_reason=None,
        robot=header.robot,
        task=header.task,
        policy=header.policy,
        checkpoint_id=header.checkpoint_id,
        operator=header.operator,
        fps=header.fps,
        num_steps=0,
        num_human_steps=0,
        started_s=header.started_s,
        ended_s=None,
        outcome=Outcome.NONE.value,
        label_revision=0,
        cameras=list(header.cameras),
        joints=list(header.action_names),
    )
    db.add(row)
    db.flush()
    return row


def _ingest_grade(db: Session, header: EpisodeHeader, end: EpisodeEnd) -> None:
    if end.command_id is None and current_labels(db, header.id).revision:
        return
    command = db.get(CommandRow, end.command_id) if end.command_id else None
    add_label(
        db,
        episode_id=header.id,
        kind=LabelKind.OUTCOME,
        new={"outcome": end.outcome.value},
        author=end.author or header.operator,
        source=_source(header, command),
        created_s=end.ended_s,
        event_id=end.command_id or f"{header.id}:grade",
    )


def _source(header: EpisodeHeader, command: CommandRow | None) -> str:
    if header.policy == IMPORTED_POLICY:
        return "import"
    return command.source if command else "key"


def _is_expected(data_dir: Path, episode_id: str) -> bool:
    return (data_dir / INCOMING_DIR / episode_id).is_dir()


def _take_folder(data_dir: Path, episode_id: str) -> Path:
    folder = data_dir / EPISODES_DIR / episode_id
    if folder.name != episode_id or episode_id.startswith(".") or not folder.is_dir():
        raise EpisodeNotFoundError(f"there is no take {episode_id}")
    return folder
