"""Episodes that arrive in parts from an actor on another computer.

    incoming/<episode>/plan.json     the files it consists of, with their checksums
                       files/…       as far as they have come

Each part carries its own checksum and the offset where it belongs, so a part that was damaged, or
came twice, changes nothing. When all is there, whole files are verified once more, brought to the
disk and moved to `episodes/` by one rename, with `upload.json` saying what came: an episode is
there as a whole or not at all, and one that came before is not asked for again.

Files only: rows are the business of `intake.py`.
"""

import hashlib
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backend.api.errors import ApiError
from backend.episodes.files import fsync_path, write_json
from backend.episodes.format import EPISODES_DIR, FINAL_FILE
from backend.episodes.recovery import DISCARDED_DIR
from backend.episodes.store import EpisodeFormatError, read_end, read_header
from backend.giving_up import was_given_up
from backend.intake import INCOMING_DIR
from backend.wire import MAX_PART_BYTES, FileFacts, UploadPlan, UploadState

PLAN_FILE = "plan.json"
FILES_DIR = "files"
# In the episode's folder, once it is there.
UPLOAD_FILE = "upload.json"
EPISODE_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# Free disk that an upload leaves for everything else.
SPARE_BYTES = 1024**3
# Refusals that no further attempt can change: somebody must decide.
FOR_GOOD = ("exists", "invalid")


@dataclass(frozen=True, kw_only=True)
class Coming:
    """An episode that is not whole here yet."""

    # Of its bytes, 0 to 1.
    share: float
    # When anything was heard of it last, Unix time.
    heard_s: float
    # Why it cannot be taken, for people; empty while it can.
    problem: str = ""


class EpisodeInbox:
    """The incoming episodes of one data directory; any thread."""

    def __init__(self, data_dir: Path, *, wall_s: Callable[[], float]) -> None:
        self._data_dir = data_dir
        self._incoming = data_dir / INCOMING_DIR
        self._wall_s = wall_s
        self._lock = threading.Lock()
        self._coming: dict[str, Coming] = {}
        for folder in self._incoming.glob("*-*"):
            self._heard(folder.name, _share(folder, _read_plan(folder / PLAN_FILE)))

    def expect(self, episode_id: str) -> None:
        """An episode is being recorded elsewhere and will be brought here."""
        self._folder(episode_id).mkdir(parents=True, exist_ok=True)
        with self._lock:
            if episode_id not in self._coming:
                self._heard(episode_id, 0.0)

    def coming(self) -> dict[str, Coming]:
        """How far each episode is that is not whole yet, and those that cannot be taken, by id."""
        with self._lock:
            # One that was given up is in the trash folder.
            self._coming = {
                id: one
                for id, one in self._coming.items()
                if one.problem or self._folder(id).is_dir()
            }
            return dict(self._coming)

    def forget(self, episode_id: str) -> None:
        """Somebody has decided about one that cannot be taken."""
        with self._lock:
            self._coming.pop(episode_id, None)

    def begin(self, episode_id: str, plan: UploadPlan) -> UploadState:
        """Hear of an episode, or go on with one that was broken off.

        Raises:
            ApiError: 409, another episode has this id; 422, a file's name; 507, no disk.
        """
        with self._lock, self._noting(episode_id):
            folder = self._folder(episode_id)
            if self._is_stored(episode_id, plan):
                shutil.rmtree(folder, ignore_errors=True)
                self._coming.pop(episode_id, None)
                return UploadState(state="stored")
            for facts in plan.files:
                _check_name(facts.name)
            self._forget_changed(folder, plan)
            received = _received(folder, plan)
            missing = sum(facts.size for facts in plan.files) - sum(received.values())
            free = shutil.disk_usage(self._data_dir).free
            if free < missing + SPARE_BYTES:
                raise ApiError(
                    507,
                    "disk_full",
                    f"episode {episode_id} needs {missing / 1e9:.1f} GB, the server's disk has "
                    f"{free / 1e9:.1f} GB left",
                    hint="Move old episodes or datasets away; it is sent again by itself.",
                )
            (folder / FILES_DIR).mkdir(parents=True, exist_ok=True)
            write_json(folder / PLAN_FILE, plan.model_dump())
            self._heard(episode_id, _share(folder, plan))
            return UploadState(state="receiving", received=received)

    def append(
        self, episode_id: str, name: str, *, offset: int, part: bytes, sha256: str
    ) -> UploadState:
        """Take one part of a file.

        Args:
            episode_id: Whose.
            name: The file's.
            offset: Where the part belongs, bytes.
            part: At most `MAX_PART_BYTES`.
            sha256: The part's, in hexadecimal.

        Raises:
            ApiError: 404, nobody began it; 409, something else is expected at that place; 422, it
                came damaged. Nothing was written.
        """
        if hashlib.sha256(part).hexdigest() != sha256.lower():
            raise ApiError(
                422,
                "checksum",
                f"a part of {name} of episode {episode_id}, at {offset}, came damaged",
                hint="Send it again.",
            )
        with self._lock:
            folder, plan = self._begun(episode_id)
            facts = next((facts for facts in plan.files if facts.name == name), None)
            if facts is None:
                raise ApiError(409, "refused", f"episode {episode_id} was begun without {name}")
            received = _received(folder, plan)
            end = offset + len(part)
            if offset != received[name] or end > facts.size or len(part) > MAX_PART_BYTES:
                raise ApiError(
                    409,
                    "offset",
                    f"{name} of episode {episode_id} has {received[name]} of {facts.size} bytes, "
                    f"got {len(part)} for {offset}",
                    hint="Begin it again to hear what is here.",
                )
            with (folder / FILES_DIR / name).open("ab") as file:
                file.write(part)
            self._heard(episode_id, _share(folder, plan))
            return UploadState(state="receiving", received={**received, name: end})

    def finish(self, episode_id: str, plan: UploadPlan) -> UploadState:
        """Verify all of it and make it an episode; what came wrong is thrown away.

        Raises:
            ApiError: 404, nobody began it; 409, it is not whole; 422, it is no episode.
        """
        with self._lock, self._noting(episode_id):
            if self._is_stored(episode_id, plan):
                return UploadState(state="stored")
            folder, plan = self._begun(episode_id)
            files = folder / FILES_DIR
            wrong = [facts.name for facts in plan.files if not _is_whole(files, facts)]
            for name in wrong:
                (files / name).unlink(missing_ok=True)
            if wrong:
                raise ApiError(
                    409,
                    "checksum",
                    f"{', '.join(wrong)} of episode {episode_id} came wrong and must come anew",
                    hint="Begin it again to hear what is here.",
                )
            _check_episode(files, episode_id)
            write_json(files / UPLOAD_FILE, plan.model_dump())
            for file in files.iterdir():
                fsync_path(file)
            fsync_path(files)
            episodes = self._data_dir / EPISODES_DIR
            episodes.mkdir(exist_ok=True)
            os.rename(files, episodes / episode_id)
            fsync_path(episodes)
            shutil.rmtree(folder)
            self._coming.pop(episode_id, None)
            return UploadState(state="stored")

    def _heard(self, episode_id: str, share: float, problem: str = "") -> None:
        self._coming[episode_id] = Coming(share=share, heard_s=self._wall_s(), problem=problem)

    @contextmanager
    def _noting(self, episode_id: str) -> Iterator[None]:
        """Remember of a well-named episode why it is refused for good."""
        self._folder(episode_id)
        try:
            yield
        except ApiError as error:
            if error.body.code in FOR_GOOD:
                known = self._coming.get(episode_id)
                self._heard(episode_id, known.share if known else 0.0, str(error))
            raise

    def _folder(self, episode_id: str) -> Path:
        if not EPISODE_ID.fullmatch(episode_id):
            raise ApiError(422, "invalid", f"an episode's id is a uuid, got {episode_id!r}")
        return self._incoming / episode_id

    def _is_stored(self, episode_id: str, plan: UploadPlan) -> bool:
        """Whether this very episode came before, wherever it is now."""
        for parent in (EPISODES_DIR, DISCARDED_DIR):
            folder = self._data_dir / parent / episode_id
            if folder.is_dir():
                if _read_plan(folder / UPLOAD_FILE) == plan:
                    return True
                if was_given_up(self._data_dir, episode_id):
                    raise ApiError(
                        409,
                        "exists",
                        f"episode {episode_id} was given up here before it came",
                        hint="“Try again” on the Live page takes it after all.",
                    )
                raise ApiError(
                    409,
                    "exists",
                    f"there is another episode {episode_id} in {parent} already",
                    hint="Both are kept where they are; compare the two folders.",
                )
        return False

    def _begun(self, episode_id: str) -> tuple[Path, UploadPlan]:
        folder = self._folder(episode_id)
        plan = _read_plan(folder / PLAN_FILE)
        if plan is None:
            raise ApiError(404, "not_found", f"the upload of episode {episode_id} was not begun")
        return folder, plan

    def _forget_changed(self, folder: Path, plan: UploadPlan) -> None:
        """Throw away what came of files that are different now."""
        before = _read_plan(folder / PLAN_FILE)
        if before is not None:
            for facts in before.files:
                if facts not in plan.files:
                    (folder / FILES_DIR / facts.name).unlink(missing_ok=True)


def _read_plan(path: Path) -> UploadPlan | None:
    try:
        return UploadPlan.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None


def _received(folder: Path, plan: UploadPlan) -> dict[str, int]:
    received = {}
    for facts in plan.files:
        path = folder / FILES_DIR / facts.name
        received[facts.name] = path.stat().st_size if path.exists() else 0
    return received


def _share(folder: Path, plan: UploadPlan | None) -> float:
    """Of its bytes; 0 before anybody said how many those are."""
    total = sum(facts.size for facts in plan.files) if plan else 0
    return sum(_received(folder, plan).values()) / total if plan and total else 0.0


def _check_name(name: str) -> None:
    if not name or name != Path(name).name or name.startswith(".") or name == UPLOAD_FILE:
        raise ApiError(422, "invalid", f"{name!r} is no name of an episode's file")


def _is_whole(files: Path, facts: FileFacts) -> bool:
    path = files / facts.name
    if facts.size == 0:
        path.touch()
    if not path.is_file() or path.stat().st_size != facts.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == facts.sha256


def _check_episode(files: Path, episode_id: str) -> None:
    try:
        header = read_header(files)
        if (files / FINAL_FILE).exists():
            read_end(files)
    except EpisodeFormatError as error:
        raise ApiError(422, "invalid", f"episode {episode_id} cannot be read: {error}") from error
    if header.id != episode_id:
        raise ApiError(422, "invalid", f"the header of episode {episode_id} speaks of {header.id}")
