"""What a reviewer looks at: one answer with all of an episode, and its film strip."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import anyio.to_thread
import numpy as np
from anyio import CapacityLimiter
from fastapi import APIRouter, Header, Query, Response
from sqlalchemy.orm import Session

from backend.api.episode_replies import Episode
from backend.api.errors import ApiError, NotFoundError, responses
from backend.api.label_replies import LabelEvent, Labels
from backend.api.present_scores import ValueMeaning, present_scores, read_meaning
from backend.api.review_replies import Curve, Review, ReviewColumns, numbers
from backend.db.engine import Database
from backend.db.episode_queries import FINAL_STATES, longest_of_task
from backend.db.models import EpisodeRow
from backend.episodes.format import EPISODES_DIR
from backend.episodes.labels import LabelsInForce
from backend.episodes.scores import EpisodeScores, read_scores
from backend.episodes.store import EpisodeFormatError, read_header, read_steps, video_path
from backend.episodes.strips import StripError, keep_strip, strip_path
from backend.learning.config import ModelConfig, RewardConfig
from backend.learning.returns import chunk_rewards, monte_carlo_returns
from backend.review import current_labels, history
from backend.review.rows import scores_of

JPEG = "image/jpeg"
NOT_THERE = "/api/episodes lists what there is."
# Decoding takes a core each; the rest of the machine drives a robot.
STRIPS_AT_ONCE = 2
# A strip of a finished episode never changes; its tag is for those who ask all the same.
KEEP_A_DAY = "private, max-age=86400"


def review_router(database: Database, data_dir: Path) -> APIRouter:
    router = APIRouter(prefix="/api/episodes", tags=["episodes"])
    strips = CapacityLimiter(STRIPS_AT_ONCE)

    def final_row(db: Session, episode_id: str) -> EpisodeRow:
        row = db.get(EpisodeRow, episode_id)
        if row is None:
            raise NotFoundError("episode", episode_id, hint=NOT_THERE)
        if row.state not in FINAL_STATES:
            raise ApiError(
                409,
                "not_finished",
                f"episode {episode_id} is {row.state}: it can be reviewed once it is finished",
            )
        return row

    @router.get("/{episode_id}/review", summary="Review an episode", responses=responses(404, 409))
    def review(
        episode_id: str,
        checkpoint: Annotated[
            list[str] | None,
            Query(description="curves of these critics; of the newest scores when left out"),
        ] = None,
        scheme: Annotated[
            Literal["seed", "recap"] | None,
            Query(description="count rewards so; as the first curve's critic when left out"),
        ] = None,
    ) -> Review:
        """Everything that a player of this episode draws, in one answer: columns, labels and their
        history, rewards, returns, and what critics say of every step by the labels in force."""
        with database.read() as db:
            row = final_row(db, episode_id)
            log = history(db, episode_id)
            said = current_labels(db, episode_id)
            scored_by = [score.checkpoint_id for score in scores_of(db, episode_id)]
            longest = {row.task: longest_of_task(db, row.task)}
        folder = data_dir / EPISODES_DIR / episode_id
        try:
            header, steps = read_header(folder), read_steps(folder)
        except EpisodeFormatError as error:
            raise ApiError(409, "no_steps", str(error)) from error
        asked = checkpoint or scored_by[:1]
        stored = _stored(data_dir, episode_id, [id for id in asked if id in scored_by])
        meanings = {s.checkpoint_id: read_meaning(data_dir, s.checkpoint_id) for s in stored}
        curves = [
            present_scores(
                scores,
                meaning=meanings[scores.checkpoint_id],
                task=row.task,
                fps=row.fps,
                is_human=steps.is_human,
                labels=said.labels,
                label_revision=said.revision,
                longest=longest,
            )
            for scores in stored
        ]
        first = next((meanings[s.checkpoint_id] for s in stored), None)
        config, chunk_size, scale = _rewards_of(first, scheme, row.task, longest)
        rewards, returns = _earned(
            said.labels, len(steps), config=config, chunk_size=chunk_size, longest=scale
        )
        return Review(
            episode=Episode.of(row),
            labels=Labels.of(said),
            history=[LabelEvent.of(event) for event in log],
            columns=ReviewColumns.of(
                steps, state_names=header.state_names, action_names=header.action_names
            ),
            human_spans=spans(steps.is_human),
            scheme=config.scheme,
            rewards=numbers(rewards),
            returns=numbers(returns),
            curves=[
                Curve.of(scores, task=row.task, label_revision=said.revision) for scores in curves
            ],
            scored_by=scored_by,
        )

    @router.get(
        "/{episode_id}/strip.jpg",
        summary="Show a film strip",
        response_class=Response,
        responses={
            **responses(404, 409),
            200: {"content": {JPEG: {}}, "description": "Six frames side by side"},
            304: {"description": "The caller's copy is still right", "content": {JPEG: {}}},
        },
    )
    async def strip(
        episode_id: str,
        height: Annotated[int, Query(ge=24, le=240, description="of the strip, in pixels")] = 54,
        if_none_match: Annotated[str | None, Header(description="tag of the caller's copy")] = None,
    ) -> Response:
        """Six evenly spaced frames of the first camera side by side, made when first asked for."""

        def made() -> Path:
            with database.read() as db:
                row = final_row(db, episode_id)
            if not row.cameras:
                raise NotFoundError("camera of episode", episode_id)
            path = strip_path(data_dir, episode_id, height)
            video = video_path(data_dir / EPISODES_DIR / episode_id, str(row.cameras[0]))
            try:
                keep_strip(path, video, num_steps=row.num_steps, height_px=height)
            except StripError as error:
                raise ApiError(409, "no_pictures", str(error)) from error
            return path

        path = await anyio.to_thread.run_sync(made, limiter=strips)
        stat = path.stat()
        headers = {
            "etag": f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"',
            "cache-control": KEEP_A_DAY,
        }
        if if_none_match == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return Response(path.read_bytes(), media_type=JPEG, headers=headers)

    return router


def spans(marked: np.ndarray) -> list[tuple[int, int]]:
    """Runs [start, end) of steps that are True in a bool array."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], marked.astype(np.int8), [0]])))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _stored(data_dir: Path, episode_id: str, ids: Sequence[str]) -> list[EpisodeScores]:
    try:
        found = [read_scores(data_dir, id, episode_id) for id in ids]
    except ValueError as error:
        raise ApiError(409, "damaged", str(error)) from error
    return [scores for scores in found if scores is not None]


def _rewards_of(
    meaning: ValueMeaning | None,
    scheme: Literal["seed", "recap"] | None,
    task: str,
    longest: Mapping[str, int],
) -> tuple[RewardConfig, int, int]:
    """Reward scheme, steps of a chunk, and steps of the longest episode of the task."""
    if meaning is None or scheme not in (None, meaning.config.reward.scheme):
        config = RewardConfig() if scheme is None else RewardConfig(scheme=scheme)
        return config, ModelConfig().chunk_size, longest[task]
    scale = {**longest, **meaning.longest}[task]
    return meaning.config.reward, meaning.config.model.chunk_size, scale


def _earned(
    labels: LabelsInForce, recorded: int, *, config: RewardConfig, chunk_size: int, longest: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rewards and returns of every recorded step, NaN behind the last one that counts."""
    num_steps = labels.num_steps(recorded)
    chunks = chunk_rewards(
        num_steps,
        labels.outcome,
        # recap counts by steps, and a chunk earns what its steps do; seed counts by chunks.
        horizon=1 if config.scheme == "recap" else chunk_size,
        longest=max(longest, num_steps),
        config=config,
    )
    behind = np.full(recorded - num_steps, np.nan)
    returns = monte_carlo_returns(chunks, config=config)
    return np.concatenate([chunks.rewards, behind]), np.concatenate([returns, behind])
