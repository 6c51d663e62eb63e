"""Published weights as files: what a run sends to the robot between its checkpoints. No torch.

    checkpoints/<run>/weights/<version>/trained.safetensors   what was trained, nothing else
                                        weights.json          the note; see `WeightsNote`

A version is light: its tensors go over any whole checkpoint of the same run, whose other weights
never change. It is named `run@version`, counts up for each run and is never written twice, also
when the run was resumed from before it. Names of tensors begin with `actor.` or `critic.`.

What is wrong with a version is found before it is loaded: lengths and shapes against the
checkpoint it goes over, then the checksum.
"""

import hashlib
import json
import os
import re
import shutil
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

WEIGHTS_DIR = "weights"
TRAINED_FILE = "trained.safetensors"
NOTE_FILE = "weights.json"
WEIGHTS_ID = re.compile(r"(?P<run>[A-Za-z0-9][A-Za-z0-9._-]{0,95})@(?P<version>\d{6,})")
# Files of a whole checkpoint that hold each part's weights.
PART_FILES: Mapping[str, str] = {"actor": "model.safetensors", "critic": "critic.safetensors"}
PRETRAINED_DIR = "pretrained_model"
_HEADER_LENGTH = struct.Struct("<Q")


class WeightsError(ValueError):
    """Published weights that cannot be used. Names them, what is wrong, and what to do."""


@dataclass(frozen=True, kw_only=True)
class WeightsNote:
    """What a version is, and what it goes over."""

    run: str
    # Counts the run's publications from 1.
    version: int
    # Optimiser step at which they were published.
    step: int
    # A whole checkpoint of the run that was there then, `run/step`; any other of it does too.
    base: str
    created_s: float
    label_revision: int
    # Of `trained.safetensors`.
    size_bytes: int
    sha256: str

    @property
    def id(self) -> str:
        return weights_id(self.run, self.version)


def weights_id(run: str, version: int) -> str:
    """How a version is called: `run@000007`."""
    return f"{run}@{version:06d}"


def weights_folder(run: Path, version: int) -> Path:
    """Where a version of the run in folder `run` is, whether it is there or not."""
    return run / WEIGHTS_DIR / f"{version:06d}"


def published_versions(run: Path) -> list[int]:
    """Versions of a run that are there, oldest first."""
    folder = run / WEIGHTS_DIR
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


def is_weights_folder(path: Path) -> bool:
    """Whether a path is that of a version, be it whole or not."""
    return path.parent.name == WEIGHTS_DIR and path.name.isdigit()


def find_published(checkpoints: Path, id: str) -> Path | None:
    """Folder of the version `run@version` below a folder of runs; None when it is not there."""
    named = WEIGHTS_ID.fullmatch(id)
    if named is None:
        return None
    folder = weights_folder(checkpoints / named["run"], int(named["version"]))
    return folder if (folder / NOTE_FILE).is_file() else None


def read_note(folder: Path) -> WeightsNote:
    """Read what a version is.

    Raises:
        WeightsError: There is none, or it is damaged.
    """
    name = f"{folder.parent.parent.name}@{folder.name}"
    try:
        content = json.loads((folder / NOTE_FILE).read_text(encoding="utf-8"))
        return WeightsNote(**content)
    except FileNotFoundError as error:
        raise WeightsError(
            f"weights {name} are not in {folder}: newer ones have taken their place, or they were "
            "deleted; the next version will do"
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(
            f"weights {name} have a note nobody can read ({error}): publish them again"
        ) from error


def write_note(folder: Path, note: WeightsNote) -> None:
    """Write the note of a version that is being put together."""
    (folder / NOTE_FILE).write_text(json.dumps(asdict(note), indent=2) + "\n", encoding="utf-8")


def base_checkpoint(folder: Path, note: WeightsNote) -> Path:
    """Folder of the whole checkpoint that a version goes over: the one named, else the newest.

    Raises:
        WeightsError: The run has none any more.
    """
    run = folder.parent.parent
    named = run / note.base.rpartition("/")[2]
    if (named / PRETRAINED_DIR).is_dir():
        return named
    whole = [p for p in run.iterdir() if p.name.isdigit() and (p / PRETRAINED_DIR).is_dir()]
    if not whole:
        raise WeightsError(
            f"weights {note.id} go over a checkpoint of run {note.run}, and none is in {run}: "
            f"bring {note.base} back"
        )
    return max(whole, key=lambda path: int(path.name))


def check_shapes(folder: Path, note: WeightsNote, base: Path) -> None:
    """Compare names, types and shapes with the checkpoint below; reads headers only.

    Raises:
        WeightsError: The file is truncated, or holds what that checkpoint has no place for.
    """
    trained = folder / TRAINED_FILE
    try:
        header = tensor_header(trained)
        below = {
            f"{part}.{name}": described
            for part, file in PART_FILES.items()
            for name, described in tensor_header(base / PRETRAINED_DIR / file).items()
        }
    except (OSError, ValueError) as error:
        raise WeightsError(f"weights {note.id} cannot be read: {error}") from error
    if trained.stat().st_size != note.size_bytes:
        raise WeightsError(
            f"weights {note.id} have {trained.stat().st_size} bytes, must have {note.size_bytes}: "
            "they are damaged; the next version will do"
        )
    for name, (dtype, shape) in header.items():
        if name not in below:
            raise WeightsError(
                f"weights {note.id} hold {name}, which checkpoint {base.parent.name}/{base.name} "
                "has not: they are of another model"
            )
        if below[name] != (dtype, shape):
            raise WeightsError(
                f"weights {note.id}: {name} is {dtype} {list(shape)}, checkpoint "
                f"{base.parent.name}/{base.name} has {below[name][0]} {list(below[name][1])}: "
                "they are of another model"
            )


def check_sum(folder: Path, note: WeightsNote) -> None:
    """Compare the whole file with its checksum.

    Raises:
        WeightsError: They differ.
    """
    found = sha256_of(folder / TRAINED_FILE)
    if found != note.sha256:
        raise WeightsError(
            f"weights {note.id} are damaged: their checksum is {found[:12]}…, must be "
            f"{note.sha256[:12]}…; the next version will do"
        )


def sha256_of(path: Path) -> str:
    """Checksum of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tensor_header(path: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type and shape of every tensor of a safetensors file, by name.

    Raises:
        OSError: It cannot be opened.
        ValueError: It is no such file, or is truncated.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        first = file.read(_HEADER_LENGTH.size)
        length = _HEADER_LENGTH.unpack(first)[0] if len(first) == _HEADER_LENGTH.size else size
        if length > size - _HEADER_LENGTH.size:
            raise ValueError(f"{path} is truncated or no safetensors file ({size} bytes)")
        content: dict[str, Any] = json.loads(file.read(length))
    content.pop("__metadata__", None)
    try:
        last = max((t["data_offsets"][1] for t in content.values()), default=0)
        header = {name: (t["dtype"], tuple(t["shape"])) for name, t in content.items()}
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"{path} is no safetensors file: {error!r}") from error
    needed = _HEADER_LENGTH.size + length + last
    if size < needed:
        raise ValueError(f"{path} is truncated: it has {size} bytes of {needed}")
    return header


def prune_weights(run: Path, *, keep: int, needed: Sequence[str] = ()) -> list[int]:
    """Delete all but the newest `keep` versions of a run; return those that went.

    Args:
        run: Folder of the run.
        keep: How many stay, at least 1.
        needed: Ids of versions that stay whatever their age.
    """
    gone = []
    for version in published_versions(run)[:-keep]:
        if weights_id(run.name, version) in needed:
            continue
        folder = weights_folder(run, version)
        aside = folder.with_name(f".{folder.name}.deleted")
        shutil.rmtree(aside, ignore_errors=True)
        os.replace(folder, aside)
        shutil.rmtree(aside)
        gone.append(version)
    return gone
