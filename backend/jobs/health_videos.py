"""Checks a dataset's videos: there, whole, playable in a browser, showing something."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from backend.episodes.frames import FramesError, Pictures
from backend.episodes.remux import count_frames
from backend.episodes.video import open_video
from backend.jobs.health_finding import Finding, Severity, named
from backend.jobs.health_tables import CAMERA_PREFIX, DatasetTables

# What Chromium, Firefox and Safari play inside MP4.
PLAYABLE = {"h264": ("yuv420p", "yuvj420p"), "av1": ("yuv420p",), "libdav1d": ("yuv420p",)}
# Pictures are decoded for this many episodes a camera.
LOOKED_AT = 12
BLACK = 4.0
SAME = 0.2


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where an episode's pictures are."""

    episode: int
    num_frames: int
    first_s: float


def check_videos(
    tables: DatasetTables, *, on_file: Callable[[int, int], None]
) -> Iterator[Finding]:
    """Findings of pictures.

    Args:
        tables: The dataset.
        on_file: Called with the number of video files looked at so far and of all.
    """
    by_camera = {
        name: _files(tables, name)
        for name, feature in tables.cameras.items()
        if feature.get("dtype") == "video"
    }
    total = sum(len(files) for files in by_camera.values())
    done = 0
    for name, files in by_camera.items():
        camera = name.removeprefix(CAMERA_PREFIX)
        gone = [places for file, places in files.items() if not file.is_file()]
        if gone:
            yield _missing(camera, sorted(p.episode for places in gone for p in places), tables)
        whole: dict[Path, Sequence[_Place]] = {}
        odd: set[str] = set()
        for file, places in files.items():
            done += 1
            on_file(done, total)
            if not file.is_file():
                continue
            for finding in _check_file(tables, name, file, places):
                if finding.code == "torn_video":
                    yield finding
                    break
                # Files of one camera are made alike: said once.
                if finding.code not in odd:
                    odd.add(finding.code)
                    yield finding
            else:
                whole[file] = places
        yield from _check_pictures(tables, camera, whole)


def _files(tables: DatasetTables, name: str) -> dict[Path, list[_Place]]:
    template = str(tables.info.get("video_path") or "")
    files: dict[Path, list[_Place]] = defaultdict(list)
    for place in tables.places:
        try:
            path = tables.root / template.format(
                video_key=name,
                chunk_index=place[f"videos/{name}/chunk_index"],
                file_index=place[f"videos/{name}/file_index"],
            )
            first_s = float(place[f"videos/{name}/from_timestamp"])
        except (KeyError, IndexError, ValueError, TypeError):
            path, first_s = tables.root / f"videos/{name}", 0.0
        files[path].append(
            _Place(
                episode=int(place["episode_index"]),
                num_frames=int(place.get("length") or 0),
                first_s=first_s,
            )
        )
    return files


def _missing(camera: str, episodes: list[int], tables: DatasetTables) -> Finding:
    everything = len(episodes) == len(tables.places)
    which = "every episode" if everything else named(episodes)
    return Finding(
        severity=Severity.BROKEN,
        code="missing_video",
        title=f"The video of {camera} is missing for {which}",
        detail="Loading fails at the first of these frames.",
        remedy="Copy the folder videos/ again, whole; from the Hub, download with videos.",
        episodes=() if everything else tuple(episodes),
    )


def _check_file(
    tables: DatasetTables, name: str, file: Path, places: Sequence[_Place]
) -> Iterator[Finding]:
    camera = name.removeprefix(CAMERA_PREFIX)
    short = file.relative_to(tables.root).as_posix()
    episodes = tuple(place.episode for place in places)
    try:
        facts = _facts(file)
    except (ValueError, av.FFmpegError) as error:
        yield _torn(short, str(error), episodes)
        return
    wanted = max(round(p.first_s * tables.fps) + p.num_frames for p in places)
    found = count_frames(file)
    if found < wanted:
        yield _torn(short, f"it holds {found} pictures, {wanted} are needed", episodes)
        return
    if facts["pix_fmt"] not in PLAYABLE.get(facts["codec"], ()):
        yield Finding(
            severity=Severity.WARNING,
            code="not_playable",
            title=f"Browsers do not play the videos of {camera} ({facts['codec']}, "
            f"{facts['pix_fmt']})",
            detail="Training reads them; pages that play the dataset's own files cannot.",
            remedy="Import the dataset: the store encodes such videos anew as H.264.",
        )
    if tables.fps > 0 and facts["fps"] and abs(facts["fps"] - tables.fps) > 0.01 * tables.fps:
        yield Finding(
            severity=Severity.BROKEN,
            code="wrong_rate",
            title=f"The videos of {camera} run at {facts['fps']:g} frames a second, the data at "
            f"{tables.fps:g}",
            detail=f"Pictures and steps drift apart (first seen in {short}).",
            remedy="Correct fps in meta/info.json if that is wrong, else record again.",
        )
    shape = [int(n) for n in tables.cameras[name].get("shape") or []]
    if shape and not {facts["width"], facts["height"]} <= set(shape):
        yield Finding(
            severity=Severity.WARNING,
            code="wrong_size",
            title=f"The videos of {camera} are {facts['width']}×{facts['height']}, meta/info.json "
            f"says {shape}",
            detail=f"First seen in {short}.",
            remedy="Correct the shape in meta/info.json.",
        )


def _torn(file: str, why: str, episodes: tuple[int, ...]) -> Finding:
    return Finding(
        severity=Severity.BROKEN,
        code="torn_video",
        title=f"{file} is torn",
        detail=f"{why}. It holds {named(episodes)}.",
        remedy="Copy the file again from where it came.",
        episodes=episodes,
    )


def _facts(file: Path) -> dict[str, Any]:
    with closing(open_video(file)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        return {
            "codec": context.name,
            "pix_fmt": context.pix_fmt,
            "width": context.width,
            "height": context.height,
            "fps": float(stream.average_rate) if stream.average_rate else 0.0,
        }


def _check_pictures(
    tables: DatasetTables, camera: str, files: Mapping[Path, Sequence[_Place]]
) -> Iterator[Finding]:
    """Look at the first, the middle and the last picture of some episodes."""
    every = [(file, place) for file, places in files.items() for place in places]
    if not every or tables.fps <= 0:
        return
    chosen = sorted({round(at) for at in np.linspace(0, len(every) - 1, LOOKED_AT)})
    black, frozen, unreadable = [], [], []
    for file, place in (every[index] for index in chosen):
        try:
            pictures = _some(file, place, tables.fps)
        except (FramesError, ValueError):
            unreadable.append(place.episode)
            continue
        if max(float(picture.mean()) for picture in pictures) < BLACK:
            black.append(place.episode)
        elif place.num_frames > 2 and _alike(pictures):
            frozen.append(place.episode)
    looked = f"{len(chosen)} of {len(every)} episodes were looked at."
    if unreadable:
        yield Finding(
            severity=Severity.BROKEN,
            code="undecodable",
            title=f"Pictures of {camera} cannot be decoded in {named(unreadable)}",
            detail=f"The file is damaged there. {looked}",
            remedy="Copy the file again from where it came, or leave these episodes out.",
            episodes=tuple(unreadable),
        )
    if black:
        yield Finding(
            severity=Severity.WARNING,
            code="black_pictures",
            title=f"{camera} is black in {named(black)}",
            detail=f"The lens was covered or the camera gave nothing. {looked}",
            remedy="Leave these episodes out, and check the camera.",
            episodes=tuple(black),
        )
    if frozen:
        yield Finding(
            severity=Severity.WARNING,
            code="frozen_pictures",
            title=f"{camera} shows one still picture in {named(frozen)}",
            detail=f"First, middle and last picture are the same. {looked}",
            remedy="See whether the camera hung; leave out episodes in which the robot moved.",
            episodes=tuple(frozen),
        )


def _some(file: Path, place: _Place, fps: float) -> list[np.ndarray]:
    found = []
    for step in sorted({0, place.num_frames // 2, place.num_frames - 1}):
        first_s = place.first_s + step / fps
        one = Pictures(path=file, num_frames=1, fps=fps, first_s=first_s)
        found.append(next(one.frames()).astype(np.float32))
    return found


def _alike(pictures: Sequence[np.ndarray]) -> bool:
    return all(float(np.abs(each - pictures[0]).mean()) < SAME for each in pictures[1:])
