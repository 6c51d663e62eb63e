"""What an online learner may be asked for. Needs no database, no torch and no LeRobot.

    {"preset" | "config", "overrides", "start", "run", "device", "keep", "wandb", "wandb_project":
         as of a training, with preset `online` by default,
     "session_id": session whose earlier episodes count as online too,
     "sources": [offline sources, as of a training], "online_share": 0.5,
     "start_after_episodes": 1, "utd": critic updates for each one of the actor,
     "accumulation": micro-batches of an update, "online_capacity": frames,
     "publish_every_s": 120, "publish_every_steps": n, "promote": true,
     "checkpoint_every_s": s, "checkpoint_every_steps": n,
     "dataset_every_episodes": 10, "video_every_episodes": n, "max_steps": n, "max_hours": h}

Everything may be left out. What is recorded after the learner was started is online.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backend.checkpoints import CHECKPOINTS_DIR
from backend.db.queries import EpisodeFilter
from backend.jobs.train_config import TrainParamsError
from backend.jobs.train_params import StoreSource, TrainParams, read_train_params
from backend.learning.config import LearnerConfig

ONLINE_PRESET = "online"
ONLINE_NAME = "online episodes"
# As in the seed's config, in seconds of wall clock.
PUBLISH_EVERY_S = 120.0
CAPACITY = 50_000
DATASET_EVERY = 10
TRAIN_WORDS = (
    *("preset", "config", "overrides", "start", "run", "device", "keep", "wandb", "wandb_project"),
    "additional_dataset_paths",
)
ONLINE_WORDS = (
    *("session_id", "sources", "online_share", "start_after_episodes", "utd", "accumulation"),
    *("online_capacity", "publish_every_s", "publish_every_steps", "promote"),
    *("checkpoint_every_s", "checkpoint_every_steps", "dataset_every_episodes"),
    *("video_every_episodes", "max_steps", "max_hours"),
)


@dataclass(frozen=True, kw_only=True)
class Every:
    """When something is due: after so many steps or so much time, whichever comes first."""

    steps: int | None
    time_s: float | None

    def is_due(self, *, steps: int, time_s: float) -> bool:
        """Whether it is, so many steps and seconds after the last time."""
        by_steps = self.steps is not None and steps >= self.steps
        return by_steps or (self.time_s is not None and time_s >= self.time_s)


@dataclass(frozen=True, kw_only=True)
class OnlineParams:
    """What was asked for."""

    # Its first source stands for the online episodes, with their share.
    train: TrainParams
    session_id: str | None
    start_after_episodes: int
    # Frames of online episodes that are learned from, the newest ones.
    online_capacity: int
    publish: Every
    checkpoint: Every
    # 0: none are made.
    dataset_every_episodes: int
    # None: whatever rule is in force stays.
    video_every_episodes: int | None
    # None: until somebody stops it.
    max_steps: int | None
    max_time_s: float | None
    # Whether the robot drives what is published.
    promote: bool


def read_online_params(params: Mapping[str, Any], data_dir: Path) -> OnlineParams:
    """Check what was asked for.

    Raises:
        TrainParamsError: Naming the word and what is possible.
    """
    words = (*TRAIN_WORDS, *ONLINE_WORDS)
    unknown = sorted(params.keys() - set(words))
    if unknown:
        raise TrainParamsError(
            f"an online learner takes {', '.join(words)}; got {', '.join(unknown)} too"
        )
    train = _read_train(params, data_dir)
    config = _with_ratios(train.config, params)
    promote = params.get("promote", True)
    if not isinstance(promote, bool):
        raise TrainParamsError(f"promote is true or false, got {promote!r}")
    session_id = params.get("session_id")
    if session_id is not None and (not isinstance(session_id, str) or not session_id):
        raise TrainParamsError(f"session_id is a session's id, got {session_id!r}")
    publish = _every(params, "publish")
    checkpoint = _every(params, "checkpoint")
    hours = _number(params, "max_hours")
    return OnlineParams(
        train=replace(train, config=config),
        session_id=session_id,
        start_after_episodes=_count(params, "start_after_episodes", least=0, default=1),
        online_capacity=_count(params, "online_capacity", least=1, default=CAPACITY),
        publish=publish or Every(steps=None, time_s=PUBLISH_EVERY_S),
        checkpoint=checkpoint or Every(steps=config.schedule.save_every, time_s=None),
        dataset_every_episodes=_count(
            params, "dataset_every_episodes", least=0, default=DATASET_EVERY
        ),
        video_every_episodes=_maybe(params, "video_every_episodes", least=0),
        max_steps=_maybe(params, "max_steps", least=1),
        max_time_s=None if hours is None else hours * 3600,
        promote=promote,
    )


def check(params: Mapping[str, Any], data_dir: Path) -> None:
    """Refuse an online learner that could not be carried out, before it is queued.

    Raises:
        TrainParamsError: See `read_online_params`; or a run of that name is there.
    """
    run = read_online_params(params, data_dir).train.run
    if run is not None and (data_dir / CHECKPOINTS_DIR / run).exists():
        raise TrainParamsError(
            f"run {run} exists already: choose another name, or resume the job that made it"
        )


def _read_train(params: Mapping[str, Any], data_dir: Path) -> TrainParams:
    train = {word: params[word] for word in TRAIN_WORDS if word in params}
    if "preset" not in train and "config" not in train:
        train["preset"] = ONLINE_PRESET
    offline = params.get("sources", [])
    if not isinstance(offline, list) or not all(isinstance(s, Mapping) for s in offline):
        raise TrainParamsError(f"sources is a list of objects, got {offline!r}")
    # It stands for the online ones; what it names is decided again and again.
    train["sources"] = [{"kind": "store"}, *({**s, "share": None} for s in offline)]
    found = read_train_params(train, data_dir)
    has_offline = len(found.sources) > 1
    share = params.get("online_share", found.config.data.online_fraction)
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
        raise TrainParamsError(f"online_share is a number in (0, 1], got {share!r}")
    online = StoreSource(
        wanted=EpisodeFilter(), share=float(share) if has_offline else None, name=ONLINE_NAME
    )
    shares = [_share(source) for source in offline]
    shares += [None] * (len(found.sources) - 1 - len(shares))
    if sum(s for s in shares if s is not None) > 1 + 1e-6:
        raise TrainParamsError(
            f"the shares of the offline sources sum to {sum(s or 0 for s in shares):g}, at most is "
            "1: they are shares of what online_share leaves"
        )
    rest = [
        source if part is None else replace(source, share=part * (1 - float(share)))
        for source, part in zip(found.sources[1:], shares, strict=True)
    ]
    return replace(found, sources=(online, *rest))


def _share(source: Mapping[str, Any]) -> float | None:
    share = source.get("share")
    if share is None:
        return None
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
        raise TrainParamsError(f"the share of a source is a number in (0, 1], got {share!r}")
    return float(share)


def _with_ratios(config: LearnerConfig, params: Mapping[str, Any]) -> LearnerConfig:
    """The config with the critic's updates for each one of the actor, and the accumulation."""
    accumulation = _maybe(params, "accumulation", least=1)
    if accumulation is not None:
        config = replace(config, optimizer=replace(config.optimizer, accumulation=accumulation))
    utd = _maybe(params, "utd", least=1)
    if utd is None:
        return config
    schedule = config.schedule
    if schedule.order == "joint":
        return replace(config, schedule=replace(schedule, critic_updates=utd))
    return replace(
        config, schedule=replace(schedule, critic_steps=utd * max(1, schedule.actor_steps))
    )


def _every(params: Mapping[str, Any], what: str) -> Every | None:
    steps = _maybe(params, f"{what}_every_steps", least=1)
    time_s = _number(params, f"{what}_every_s")
    return None if steps is None and time_s is None else Every(steps=steps, time_s=time_s)


def _count(params: Mapping[str, Any], name: str, *, least: int, default: int) -> int:
    value = _maybe(params, name, least=least)
    return default if value is None else value


def _maybe(params: Mapping[str, Any], name: str, *, least: int) -> int | None:
    value = params.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise TrainParamsError(f"{name} is a whole number of at least {least}, got {value!r}")
    return value


def _number(params: Mapping[str, Any], name: str) -> float | None:
    value = params.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise TrainParamsError(f"{name} is a number above 0, got {value!r}")
    return float(value)
