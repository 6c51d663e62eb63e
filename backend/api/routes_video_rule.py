"""`/api/videos/rule`: how often a critic video is made of what is recorded."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy.orm import Session

from backend.api.errors import responses
from backend.api.messages import Documented
from backend.api.routes_session import Caller
from backend.db.engine import Database
from backend.domain import Role
from backend.jobs.video_rule import MAX_EVERY, change_rule, rule_in_force


class VideoRuleBody(Documented):
    """How often it should be from now on."""

    every: int = Field(ge=0, le=MAX_EVERY, examples=[4])
    """Recorded episodes between two videos; 0 for none."""


class VideoRuleReply(Documented):
    """A critic video is made of every so many recorded episodes."""

    every: int
    """0: of none."""
    author: str
    """Who said so, and when; empty and 0 before anybody did."""
    changed_s: float
    num_recorded: int
    """Episodes recorded since the last one."""
    checkpoint_id: str
    """Whose critic the next one will show; empty while no checkpoint has one."""


def video_rule_router(
    database: Database, data_dir: Path, *, wall_s: Callable[[], float]
) -> APIRouter:
    router = APIRouter(prefix="/api/videos", tags=["scores"])

    def shown(db: Session) -> VideoRuleReply:
        return VideoRuleReply(**asdict(rule_in_force(db, data_dir)))

    @router.get("/rule", summary="Show how often critic videos are made", responses=responses())
    def show() -> VideoRuleReply:
        """The rule, how far it is from its next video, and whose critic that will show."""
        with database.read() as db:
            return shown(db)

    @router.post("/rule", summary="Set how often critic videos are made", responses=responses())
    def change(body: VideoRuleBody, user: Caller) -> VideoRuleReply:
        """Make a video of every so many episodes that are recorded from now on."""
        user.require(Role.OPERATOR, "say how often critic videos are made")
        with database.write() as db:
            change_rule(db, body.every, author=user.name, now_s=wall_s())
            return shown(db)

    return router
