"""What a training run would learn from: every episode of every source, counted and warned about.

Decided from the database, headers and datasets' tables alone, so the server answers a dry run with
it. A job makes it once and keeps it in its folder: a resumed run learns from the same episodes with
the same labels, whatever has been recorded or said since.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from backend.db.models import EpisodeRow
from backend.db.queries import FINAL_STATES, all_episodes, label_events, newest_label_revision
from backend.domain import EpisodeState, Outcome
from backend.episodes.label_ranges import range_from_dict
from backend.episodes.labels import LabelEvent, LabelsInForce, fold
from backend.jobs.train_config import TrainParamsError
from backend.jobs.train_datasets import DatasetTables
from backend.jobs.train_episode import TrainEpisode as TrainEpisode
from backend.jobs.train_params import Source, StoreSource
from backend.jobs.train_warnings import SourceCount, warnings_of
from backend.review import event_from_row


class NoEpisodesError(TrainParamsError):
    """None of the sources holds an episode that can be learned from."""


@dataclass(frozen=True, kw_only=True)
class TrainPlan:
    """Everything a run learns from, and what it does not."""

    episodes: tuple[TrainEpisode, ...]
    # Share of the samples of each source, in the params' order; sums to 1.
    shares: tuple[float, ...]
    source_names: tuple[str, ...]
    # Why, by episode id.
    skipped: Mapping[str, str]
    # Newest label event that was taken into account.
    label_revision: int

    @property
    def action_names(self) -> tuple[str, ...] | None:
        """Names of the action's dimensions; None when the episodes do not agree on them."""
        names = {episode.joints for episode in self.episodes if episode.joints}
        return names.pop() if len(names) == 1 else None

    def counts(self) -> list[SourceCount]:
        """What each source holds, in the params' order."""
        return [
            SourceCount(
                name=name,
                share=self.shares[number],
                outcomes=dict(Counter(e.outcome.value for e in mine)),
                num_steps=sum(e.num_steps for e in mine),
                num_human_steps=sum(e.num_human_steps for e in mine),
                origins={
                    origin: dict(Counter(e.outcome.value for e in mine if e.origin == origin))
                    for origin in sorted({e.origin for e in mine})
                },
                tasks=dict(Counter(e.task for e in mine)),
            )
            for number, name in enumerate(self.source_names)
            for mine in [[e for e in self.episodes if e.source == number]]
        ]

    def summary(self, *, learns_from_returns: bool) -> dict[str, Any]:
        """The answer to a dry run: counts per source, warnings in words, what is left out."""
        counts = self.counts()
        return {
            "sources": [asdict(count) for count in counts],
            "episodes": len(self.episodes),
            "steps": sum(e.num_steps for e in self.episodes),
            "warnings": warnings_of(counts, learns_from_returns=learns_from_returns),
            "skipped": [{"id": id, "reason": why} for id, why in self.skipped.items()],
            "label_revision": self.label_revision,
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain values, from which `from_dict` makes the same plan."""
        return asdict(self)

    @staticmethod
    def from_dict(content: Mapping[str, Any]) -> "TrainPlan":
        """The plan that `to_dict` wrote."""
        return TrainPlan(
            episodes=tuple(
                TrainEpisode(
                    **{
                        **episode,
                        "outcome": Outcome(episode["outcome"]),
                        "joints": tuple(episode.get("joints", ())),
                        "ranges": tuple(range_from_dict(r) for r in episode.get("ranges", ())),
                    }
                )
                for episode in content["episodes"]
            ),
            shares=tuple(content["shares"]),
            source_names=tuple(content["source_names"]),
            skipped=dict(content["skipped"]),
            label_revision=content["label_revision"],
        )


def make_train_plan(
    db: Session,
    sources: Sequence[Source],
    *,
    roots: Mapping[str, Path],
    tables: DatasetTables | None = None,
    shape: str = "",
) -> TrainPlan:
    """Decide what a run learns from.

    Args:
        db: The database session.
        sources: What was asked for.
        roots: Folders of datasets that came from the Hub, by repo_id.
        tables: Of who plans more than once.
        shape: Of a run that has begun; that of most episodes when empty.

    Raises:
        TrainParamsError: An episode that was asked for does not exist, or nothing is left.
        DatasetFolderError: A dataset cannot be read.
    """
    tables = tables or DatasetTables(roots)
    found: list[TrainEpisode] = []
    skipped: dict[str, str] = {}
    exported: dict[str, str] = {}
    for number, source in enumerate(sources):
        if isinstance(source, StoreSource):
            found.extend(recorded_episodes(db, number, source, skipped))
        else:
            episodes, copies = tables.episodes(number, source)
            found.extend(episodes)
            exported |= copies
    fitting = _without_others(_without_doubles(found, exported, skipped), skipped, shape)
    if not fitting:
        reasons = "; ".join(f"{id} {why}" for id, why in list(skipped.items())[:3])
        raise NoEpisodesError(
            "there is no episode to learn from"
            + (f" ({reasons})" if reasons else ": record some, or widen the filter")
        )
    return TrainPlan(
        episodes=tuple(fitting),
        shares=_shares(sources, fitting),
        source_names=tuple(source.name for source in sources),
        skipped=skipped,
        label_revision=newest_label_revision(db),
    )


def _labels(db: Session) -> Mapping[str, LabelsInForce]:
    logs: dict[str, list[LabelEvent]] = defaultdict(list)
    for event in label_events(db):
        logs[event.episode_id].append(event_from_row(event))
    return {id: fold(log) for id, log in logs.items()}


def recorded_episodes(
    db: Session, number: int, source: StoreSource, skipped: dict[str, str]
) -> list[TrainEpisode]:
    """Recorded episodes with the labels in force, oldest first.

    Args:
        db: The database session.
        number: Position of the source.
        source: Which episodes.
        skipped: Gets those that cannot be used, and why, by id.

    Raises:
        TrainParamsError: An episode that was asked for by id does not exist.
    """
    labels = _labels(db)
    rows = all_episodes(db, source.wanted)
    if source.wanted.ids is not None:
        missing = sorted(set(source.wanted.ids) - {row.id for row in rows})
        if missing:
            raise TrainParamsError(f"there is no episode {', '.join(missing)}")
    found = []
    for row in rows:
        said = labels.get(row.id, LabelsInForce())
        why = _why_not(row, said)
        if why:
            skipped[row.id] = why
            continue
        cameras = ", ".join(sorted(str(camera) for camera in row.cameras))
        num_steps = said.num_steps(row.num_steps)
        found.append(
            TrainEpisode(
                id=row.id,
                source=number,
                origin=row.checkpoint_id or row.policy,
                dataset=None,
                index=None,
                task=row.task,
                fps=row.fps,
                num_steps=num_steps,
                num_human_steps=min(row.num_human_steps, num_steps),
                outcome=said.outcome,
                label_revision=row.label_revision,
                is_demonstration=False,
                shape=f"{row.fps:g} Hz, {cameras}, {len(row.joints)} joints",
                joints=tuple(str(joint) for joint in row.joints),
                num_behind=row.num_steps - num_steps,
                ranges=said.ranges,
            )
        )
    return found


def _why_not(row: EpisodeRow, labels: LabelsInForce) -> str:
    if row.state == EpisodeState.UNFINISHED:
        return "unfinished: recover it first"
    if row.state not in FINAL_STATES:
        return row.state
    if labels.excluded:
        return f"excluded: {labels.exclude_reason}" if labels.exclude_reason else "excluded"
    if not row.cameras:
        return "has no cameras"
    return "" if row.num_steps else "has no steps"


def _without_doubles(
    found: Sequence[TrainEpisode], exported: Mapping[str, str], skipped: dict[str, str]
) -> list[TrainEpisode]:
    """Each attempt once: a recorded episode also comes back in datasets exported from it."""
    seen: dict[str, str] = {}
    kept = []
    for episode in found:
        attempt = exported.get(episode.id, episode.id)
        if attempt in seen:
            # Said of the copy only: the first one is still learned from.
            skipped.setdefault(
                episode.id if episode.id != seen[attempt] else f"{episode.id} (again)",
                f"is the same attempt as {seen[attempt]}",
            )
        else:
            seen[attempt] = episode.id
            kept.append(episode)
    return kept


def _without_others(
    found: Sequence[TrainEpisode], skipped: dict[str, str], shape: str
) -> list[TrainEpisode]:
    """Episodes that one policy can learn from: those of `shape`, else like most others by steps."""
    steps: Counter[str] = Counter()
    for episode in found:
        steps[episode.shape] += episode.num_steps
    common = shape or max(steps, key=lambda shape: steps[shape], default="")
    for episode in found:
        if episode.shape != common:
            skipped[episode.id] = f"is of another robot ({episode.shape}) than most ({common})"
    return [episode for episode in found if episode.shape == common]


def _shares(sources: Sequence[Source], episodes: Sequence[TrainEpisode]) -> tuple[float, ...]:
    """Shares as asked for; sources without one divide the rest by their steps."""
    steps = [sum(e.num_steps for e in episodes if e.source == n) for n in range(len(sources))]
    asked = [source.share if steps[n] else 0.0 for n, source in enumerate(sources)]
    rest = max(0.0, 1.0 - sum(share for share in asked if share is not None))
    free = sum(steps[n] for n, share in enumerate(asked) if share is None)
    shares = [rest * steps[n] / free if s is None else s for n, s in enumerate(asked)]
    total = sum(shares)
    # A source that turned out empty leaves its share to the others.
    return tuple(share / total for share in shares)
