"""Job `score`: one critic over many episodes, stored per step so that nothing recomputes it.

    python -m backend.jobs.score --data-dir DIR --job-id ID

Episodes are decoded ahead while the critic works. What is scored already is skipped; where only the
labels changed, advantages and words are computed anew from the stored values, without a model.
Each episode's file appears when it is done, so a cancelled job has not worked in vain.
"""

import json
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from backend import checkpoints
from backend.db.engine import open_database
from backend.episodes.format import EPISODES_DIR
from backend.episodes.frames import FrameCache, free_bytes
from backend.episodes.lerobot_folder import CAMERA_PREFIX
from backend.episodes.scores import EpisodeScores, read_scores, write_scores
from backend.episodes.store import read_steps
from backend.jobs.child import JobChild, JobFailedError, run_child
from backend.jobs.relabel import relabel, valued
from backend.jobs.score_params import ScoreParams, ScoreParamsError, read_score_params
from backend.jobs.train_config import MEANING_FILE, TrainParamsError
from backend.jobs.train_data import EpisodeLoader
from backend.jobs.train_params import StoreSource
from backend.jobs.train_plan import TrainEpisode, recorded_episodes
from backend.learning.config import LearnerConfig
from backend.learning.config_files import config_from_dict
from backend.learning.replay import EpisodeArrays
from backend.learning.returns import longest_by_task

AHEAD = 3


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Values of one episode, before advantages."""

    episode: TrainEpisode
    # A number a recorded step, also behind the end that people have set: that may move.
    is_human: np.ndarray
    value: np.ndarray
    spread: np.ndarray


class ScoringRun:
    """One scoring job."""

    def __init__(self, child: JobChild, params: ScoreParams) -> None:
        """Read what the checkpoint's values mean."""
        self._child = child
        self._params = params
        path = checkpoints.present_path(child.data_dir, params.checkpoint_id)
        self._pretrained = path / checkpoints.PRETRAINED_DIR
        meaning = json.loads((self._pretrained / MEANING_FILE).read_text(encoding="utf-8"))
        self._config: LearnerConfig = config_from_dict(meaning["learner"])
        self._longest: dict[str, int] = dict(meaning["longest"])
        self._own_thresholds: dict[str, float] = dict(meaning["thresholds"])
        self._num_written = 0
        # When the critic was loaded.
        self._begun_s = 0.0

    def carry_out(self) -> dict[str, Any]:
        """Score; return counts and speed."""
        child, params = self._child, self._params
        child.announce(checkpoint=checkpoints.describe(child.data_dir, params.checkpoint_id))
        episodes, skipped = self._choose()
        if not episodes and not skipped:
            raise JobFailedError("there is no episode to score: record one, or widen the filter")
        # A task that the training did not know is scaled by the episodes at hand.
        own = longest_by_task([(e.task, e.num_steps) for e in episodes])
        self._longest = {**own, **self._longest}
        stored, fresh, num_known = self._sort_out(episodes)
        waiting: list[Scored] = []
        for scored in stored:
            self._take(scored, waiting)
        num_steps = 0
        if fresh:
            for scored in self._score(fresh, skipped):
                self._take(scored, waiting)
                num_steps += len(scored.value)
        elapsed_s = max(time.monotonic() - self._begun_s, 1e-9)
        self._label(waiting, own_thresholds=False)
        child.report(1.0, f"{self._num_written} episodes scored, {num_known} known already")
        return {
            "checkpoint": params.checkpoint_id,
            "scored": self._num_written - len(stored),
            "relabelled": len(stored),
            "known": num_known,
            "skipped": [{"id": id, "reason": why} for id, why in skipped.items()],
            "steps": num_steps,
            "steps_per_s": num_steps / elapsed_s if num_steps else None,
        }

    def _choose(self) -> tuple[list[TrainEpisode], dict[str, str]]:
        skipped: dict[str, str] = {}
        database = open_database(self._child.database_url)
        try:
            with database.read() as db:
                source = StoreSource(wanted=self._params.wanted, share=None)
                found = recorded_episodes(db, 0, source, skipped)
        except TrainParamsError as error:
            raise JobFailedError(str(error)) from error
        finally:
            database.close()
        return found, skipped

    def _sort_out(
        self, episodes: Sequence[TrainEpisode]
    ) -> tuple[list[Scored], list[TrainEpisode], int]:
        """Episodes with stored values but other labels, those without values, and how many are
        known just as they are."""
        stored, fresh, num_known = [], [], 0
        for episode in episodes:
            before = None
            if not self._params.again:
                before = self._before(episode)
            if before is None:
                fresh.append(episode)
            elif before.label_revision == episode.label_revision:
                num_known += 1
            else:
                stored.append(
                    Scored(
                        episode=episode,
                        is_human=read_steps(
                            self._child.data_dir / EPISODES_DIR / episode.id
                        ).is_human,
                        value=before.value,
                        spread=before.spread,
                    )
                )
        return stored, fresh, num_known

    def _before(self, episode: TrainEpisode) -> EpisodeScores | None:
        try:
            before = read_scores(self._child.data_dir, self._params.checkpoint_id, episode.id)
        except ValueError as error:
            _log(f"{error}")
            return None
        return before if before and len(before.value) == episode.num_recorded else None

    def _score(self, episodes: Sequence[TrainEpisode], skipped: dict[str, str]) -> Iterator[Scored]:
        """Yield the values of each episode; decodes the next ones meanwhile."""
        self._child.report(0.0, "loading the critic")
        # Here, because it takes ten seconds: what only needs new labels does without.
        import torch  # noqa: PLC0415

        from backend.learning.models import load_models  # noqa: PLC0415
        from backend.learning.pi05_rl.sizes import SIZES  # noqa: PLC0415
        from backend.learning.scoring import score_episode  # noqa: PLC0415

        # One core stays free for the robot's loop, which may run on this machine.
        torch.set_num_threads(max(1, torch.get_num_threads() - 1))
        device = self._params.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        models = load_models(self._pretrained.parent, device=device)
        cache = FrameCache(self._child.data_dir, owner=self._child.job_id, free_bytes=free_bytes)
        model = models.policy.config
        size_px = SIZES[model.size].image_size
        cameras = {name.removeprefix(CAMERA_PREFIX) for name in model.image_features}
        needs = (cameras, model.robot_state_feature.shape[0])
        loader = EpisodeLoader(self._child.data_dir, cache, size_px=size_px)
        self._begun_s = time.monotonic()
        num_steps = 0
        todo = deque(episodes)
        reading: deque[tuple[TrainEpisode, Future[EpisodeArrays]]] = deque()
        with ThreadPoolExecutor(max_workers=2) as pool:
            try:
                while todo or reading:
                    while todo and len(reading) < AHEAD:
                        episode = todo.popleft()
                        whole = replace(episode, num_steps=episode.num_recorded, num_behind=0)
                        reading.append((episode, pool.submit(loader.read, whole, keep=False)))
                    episode, result = reading.popleft()
                    try:
                        arrays = result.result()
                    except (ValueError, OSError) as error:
                        skipped[episode.id] = f"cannot be read: {error}"
                        continue
                    why = _unfit(arrays, needs)
                    if why:
                        skipped[episode.id] = why
                        continue
                    scores = score_episode(models, arrays, batch_size=self._params.batch_size)
                    if not np.isfinite(scores.values).all():
                        raise JobFailedError(
                            f"the critic of {self._params.checkpoint_id} says "
                            f"{scores.values[~np.isfinite(scores.values)][0]} in episode "
                            f"{episode.id}: it has diverged, use an earlier checkpoint"
                        )
                    nothing = np.full(len(arrays), np.nan)
                    yield Scored(
                        episode=episode,
                        is_human=arrays.is_human,
                        value=scores.values,
                        spread=nothing if scores.spreads is None else scores.spreads,
                    )
                    done = len(episodes) - len(todo) - len(reading)
                    num_steps += len(arrays)
                    pace = num_steps / max(time.monotonic() - self._begun_s, 1e-9)
                    left = sum(e.num_steps for e in [*todo, *(e for e, _ in reading)])
                    self._child.report(
                        done / len(episodes),
                        f"scored {done} of {len(episodes)} episodes, {pace:.0f} steps/s, "
                        f"about {left / pace:.0f} s left",
                    )
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _take(self, scored: Scored, waiting: list[Scored]) -> None:
        """Label and write an episode, or let it wait for the others of its unknown task."""
        if self._config.words.mode == "two" and scored.episode.task not in self._own_thresholds:
            waiting.append(scored)
        else:
            self._label([scored], own_thresholds=True)

    def _label(self, scored: Sequence[Scored], *, own_thresholds: bool) -> None:
        if not scored:
            return
        labels = relabel(
            [
                valued(
                    s.value,
                    episode_id=s.episode.id,
                    task=s.episode.task,
                    fps=s.episode.fps,
                    is_human=s.is_human,
                    num_steps=s.episode.num_steps,
                    outcome=s.episode.outcome,
                    ranges=s.episode.ranges,
                )
                for s in scored
            ],
            config=self._config,
            longest=self._longest,
            thresholds=self._own_thresholds if own_thresholds else None,
        )
        for one in scored:
            id = one.episode.id
            now_s = time.time()
            write_scores(
                self._child.data_dir,
                EpisodeScores(
                    checkpoint_id=self._params.checkpoint_id,
                    episode_id=id,
                    value=one.value,
                    spread=one.spread,
                    advantage=labels[id].advantage,
                    word=labels[id].word,
                    label_revision=one.episode.label_revision,
                    outcome=one.episode.outcome,
                    value_range=self._config.reward.value_range,
                    thresholds=_of_task(labels[id].thresholds, one.episode.task),
                    has_own_thresholds=own_thresholds,
                    created_s=now_s,
                ),
            )
            self._num_written += 1
            self._child.announce(
                score={
                    "checkpoint_id": self._params.checkpoint_id,
                    "episode_id": id,
                    "created_s": now_s,
                    "mean_value": float(np.mean(one.value)),
                    "last_value": float(one.value[-1]),
                    "max_value": float(one.value.max()),
                    "lowest": self._config.reward.value_range[0],
                    "highest": self._config.reward.value_range[1],
                }
            )


def score(child: JobChild) -> dict[str, Any]:
    """Carry out the orders; return counts and speed.

    Raises:
        JobFailedError: The orders cannot be obeyed, or the critic says no numbers.
    """
    child.report(0.0, "choosing episodes")
    try:
        params = read_score_params(child.params, child.data_dir)
    except ScoreParamsError as error:
        raise JobFailedError(str(error)) from error
    return ScoringRun(child, params).carry_out()


def _unfit(arrays: EpisodeArrays, needs: tuple[set[str], int]) -> str:
    """Why a critic that needs these cameras and state dimensions cannot judge an episode."""
    cameras, state_dim = needs
    missing = sorted(cameras - arrays.images.keys())
    if missing:
        return f"has no camera {', '.join(missing)}, which the critic looks through"
    if arrays.states.shape[1] != state_dim:
        return f"has {arrays.states.shape[1]} state dimensions, the critic knows {state_dim}"
    return ""


def _of_task(thresholds: Mapping[str, float], task: str) -> dict[str, float]:
    return {task: thresholds[task]} if task in thresholds else {}


def _log(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(run_child(score))
