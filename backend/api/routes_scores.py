"""What critics say of episodes: stored scores, comparisons of two checkpoints, critic videos.

Values and videos are files that `score` and `video` jobs made; only what follows from labels is
computed here.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from backend.api.episode_replies import Episode
from backend.api.errors import ApiError, NotFoundError, responses
from backend.api.file_ranges import file_response
from backend.api.present_scores import present_scores, read_meaning
from backend.api.score_replies import (
    ComparedEpisode,
    Comparison,
    CriticVideo,
    CriticVideoList,
    Scores,
    ScoresList,
)
from backend.checkpoints import CHECKPOINT_ID
from backend.db.engine import Database
from backend.db.episode_queries import longest_of_task
from backend.db.models import CheckpointRow, EpisodeRow, ScoreRow
from backend.db.pages import MAX_LIMIT, InvalidPageError
from backend.db.queries import FINAL_STATES, EpisodeFilter, EpisodeOrder, list_episodes
from backend.domain import Outcome
from backend.episodes.format import EPISODES_DIR
from backend.episodes.scores import read_scores
from backend.episodes.store import EpisodeFormatError, read_steps
from backend.jobs.video_params import RECORDED, critic_video_path
from backend.review import current_labels

VIDEO = "video/mp4"
MOST_COMPARED = 50
CRITIC = Query(
    pattern=rf"^({CHECKPOINT_ID.pattern}|{RECORDED})$",
    description=f"whose critic, as `run/step`; `{RECORDED}` is the one that acted",
)


def scores_router(database: Database, data_dir: Path) -> APIRouter:
    router = APIRouter(prefix="/api", tags=["scores"])

    @router.get(
        "/episodes/{episode_id}/scores",
        summary="Read an episode's scores",
        responses=responses(404, 409),
    )
    def read(
        episode_id: str,
        checkpoint: Annotated[
            list[str] | None, Query(description="only of these; of all when left out")
        ] = None,
    ) -> ScoresList:
        """Value, spread, advantage and word of every step, by each checkpoint that scored it;
        advantages and words by the labels in force, as far as its checkpoint is still there."""
        with database.read() as db:
            row = db.get(EpisodeRow, episode_id)
            if row is None:
                raise NotFoundError("episode", episode_id, hint="/api/episodes lists what there is")
            scored = select(ScoreRow.checkpoint_id).where(ScoreRow.episode_id == episode_id)
            if checkpoint:
                scored = scored.where(ScoreRow.checkpoint_id.in_(checkpoint))
            ids = db.scalars(scored.order_by(ScoreRow.created_s.desc())).all()
            said = current_labels(db, episode_id)
            longest = {row.task: longest_of_task(db, row.task)}
        try:
            found = [read_scores(data_dir, id, episode_id) for id in ids]
            steps = read_steps(data_dir / EPISODES_DIR / episode_id) if ids else None
        except (ValueError, EpisodeFormatError) as error:
            raise ApiError(409, "damaged", str(error)) from error
        items = [
            Scores.of(
                present_scores(
                    scores,
                    meaning=read_meaning(data_dir, scores.checkpoint_id),
                    task=row.task,
                    fps=row.fps,
                    is_human=steps.is_human,
                    labels=said.labels,
                    label_revision=said.revision,
                    longest=longest,
                )
            )
            for scores in found
            if scores is not None and steps is not None
        ]
        return ScoresList(items=items, total=len(items))

    @router.get("/scores/compare", summary="Compare two critics", responses=responses(404))
    def compare(
        a: Annotated[str, Query(description="a checkpoint, `run/step`")],
        b: Annotated[str, Query(description="another one")],
    ) -> Comparison:
        """Two checkpoints over the episodes that both have scored."""
        with database.read() as db:
            for id in (a, b):
                if db.get(CheckpointRow, id) is None:
                    raise NotFoundError("checkpoint", id, hint="/api/checkpoints lists them.")
            both = _scored_by_both(db, a, b)
        both.sort(key=lambda one: -abs(one.mean_b - one.mean_a))
        differences = [one.mean_b - one.mean_a for one in both]
        return Comparison(
            a=a,
            b=b,
            num_both=len(both),
            mean_difference=sum(differences) / len(both) if both else None,
            auc_a=_auc([(one.last_a, one.outcome) for one in both]),
            auc_b=_auc([(one.last_b, one.outcome) for one in both]),
            items=both[:MOST_COMPARED],
        )

    @router.get("/videos", summary="List critic videos", responses=responses(400))
    def list_videos(
        *,
        checkpoint: Annotated[str, CRITIC] = RECORDED,
        with_missing: Annotated[bool, Query(description="also episodes without a video")] = False,
        outcome: Annotated[Outcome | None, Query(description="only with this outcome")] = None,
        q: Annotated[
            str, Query(description="part of task, robot or operator, or beginning of an id")
        ] = "",
        driven_by: Annotated[
            str | None, Query(description="only attempts that this checkpoint drove")
        ] = None,
        order: Annotated[EpisodeOrder, Query(description="which come first")] = EpisodeOrder.NEWEST,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="items a page")] = 50,
        cursor: Annotated[str | None, Query(description="`next_cursor` of the page before")] = None,
    ) -> CriticVideoList:
        """Finished episodes with their critic videos by one checkpoint."""
        made = _videos_in(critic_video_path(data_dir, _id(checkpoint), "any").parent)
        wanted = EpisodeFilter(
            outcome=outcome,
            q=q,
            checkpoint_id=driven_by,
            states=FINAL_STATES,
            ids=None if with_missing else tuple(made),
        )
        try:
            with database.read() as db:
                page = list_episodes(db, wanted, order=order, limit=limit, cursor=cursor)
                scored = _scored(db, checkpoint, [row.id for row in page.items])
        except InvalidPageError as error:
            raise ApiError(400, "page", str(error)) from error
        return CriticVideoList(
            items=[_video(row, made.get(row.id), scored.get(row.id)) for row in page.items],
            total=page.total,
            next_cursor=page.next_cursor,
        )

    @router.get(
        "/episodes/{episode_id}/critic.mp4",
        summary="Play a critic video",
        response_class=Response,
        responses={
            **responses(404, 416),
            200: {"content": {VIDEO: {}}, "description": "H.264 video, its index in front"},
            206: {"content": {VIDEO: {}}, "description": "The part asked for with Range"},
        },
    )
    def play(
        *,
        episode_id: str,
        checkpoint: Annotated[str, CRITIC] = RECORDED,
        download: Annotated[bool, Query(description="to be saved as a file, not shown")] = False,
        range: Annotated[str | None, Header(description="bytes=first-last")] = None,
    ) -> Response:
        """Cameras side by side with value and advantage, as a `video` job drew them."""
        with database.read() as db:
            known = db.get(EpisodeRow, episode_id) is not None
        # The id is one of ours before it becomes a path.
        path = critic_video_path(data_dir, _id(checkpoint), episode_id)
        if not known or not path.is_file():
            raise NotFoundError(
                "critic video of episode",
                episode_id,
                hint=f'Make it: POST /api/jobs {{"kind": "video", "params": {{"checkpoint": '
                f'"{checkpoint}", "episodes": ["{episode_id}"]}}}}',
            )
        response = file_response(path, media_type=VIDEO, range_header=range, changes=True)
        if download:
            name = f"{episode_id[:8]}-{checkpoint.replace('/', '-')}.mp4"
            response.headers["content-disposition"] = f'attachment; filename="{name}"'
        return response

    return router


def _id(checkpoint: str) -> str | None:
    return None if checkpoint == RECORDED else checkpoint


def _scored_by_both(db: Session, a: str, b: str) -> list[ComparedEpisode]:
    by_a, by_b = aliased(ScoreRow), aliased(ScoreRow)
    rows = db.execute(
        select(EpisodeRow, by_a, by_b)
        .join(by_a, by_a.episode_id == EpisodeRow.id)
        .join(by_b, by_b.episode_id == EpisodeRow.id)
        .where(by_a.checkpoint_id == a, by_b.checkpoint_id == b)
    )
    return [
        ComparedEpisode(
            episode_id=episode.id,
            task=episode.task,
            outcome=Outcome(episode.outcome),
            mean_a=of_a.mean_value,
            mean_b=of_b.mean_value,
            last_a=of_a.last_value,
            last_b=of_b.last_value,
        )
        for episode, of_a, of_b in rows
    ]


def _auc(values: Sequence[tuple[float, Outcome]]) -> float | None:
    """Share of the pairs of a success and a failure that the value puts in order; ties half."""
    good = [value for value, outcome in values if outcome is Outcome.SUCCESS]
    bad = [value for value, outcome in values if outcome is Outcome.FAILURE]
    if not good or not bad:
        return None
    right = sum((g > b) + 0.5 * (g == b) for g in good for b in bad)
    return right / (len(good) * len(bad))


def _scored(db: Session, checkpoint: str, ids: Sequence[str]) -> dict[str, float]:
    """When the checkpoint scored each of these episodes, Unix seconds."""
    rows = db.scalars(
        select(ScoreRow).where(ScoreRow.checkpoint_id == checkpoint, ScoreRow.episode_id.in_(ids))
    )
    return {row.episode_id: row.created_s for row in rows}


def _videos_in(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in folder.glob("*.mp4") if not path.name.startswith(".")}


def _video(row: EpisodeRow, path: Path | None, scored_s: float | None) -> CriticVideo:
    made = path.stat() if path else None
    shows = _note(path) if path else {}
    return CriticVideo(
        episode=Episode.of(row),
        made_s=made.st_mtime if made else None,
        size_bytes=made.st_size if made else 0,
        is_scored=scored_s is not None,
        is_old=made is not None
        and (
            shows.get("label_revision") != row.label_revision
            or (scored_s is not None and shows.get("scored_s") != scored_s)
        ),
    )


def _note(path: Path) -> dict[str, Any]:
    """What the video of this path shows; empty when its job left no word."""
    try:
        note = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}
