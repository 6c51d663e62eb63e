"""`/api/uploads`: what people decide about episodes that are stuck on their way from another
computer.

An upload that goes on is nobody's to decide about. One that the server refused for good is tried
again or put away on the robot's computer; one that nothing is heard of is given up here. Whatever
is put away lies in a folder `discarded` and is not deleted.
"""

from pathlib import Path
from typing import Literal

from fastapi import APIRouter

from backend.api.episode_inbox import Coming, EpisodeInbox
from backend.api.errors import ApiError, NotFoundError, responses
from backend.api.live import Live
from backend.api.messages import Documented
from backend.api.records import SessionRecords
from backend.api.routes_session import Caller
from backend.db.engine import Database
from backend.domain import Role
from backend.giving_up import expect_again, give_up_coming
from backend.wire import UploadOrder

# Uploads wait for at most 30 s between two attempts and go one after the other.
QUIET_S = 60.0


class UploadDecision(Documented):
    """What was done about an upload."""

    id: str
    done: Literal["retried", "discarded", "given_up"]
    """`discarded`: put away on the robot's computer; `given_up`: nothing is expected any more."""


def uploads_router(
    inbox: EpisodeInbox, live: Live, records: SessionRecords, database: Database, data_dir: Path
) -> APIRouter:
    router = APIRouter(prefix="/api/uploads", tags=["episodes"])

    def stuck(episode_id: str) -> Coming:
        found = inbox.coming().get(episode_id)
        if found is None:
            raise NotFoundError(
                "upload of episode", episode_id, hint="/api/session lists those that come."
            )
        return found

    def check_connected(episode_id: str) -> None:
        if not (live.line.is_connected and live.line.is_apart):
            raise ApiError(
                409,
                "refused",
                f"the computer that has episode {episode_id} is not connected",
                hint="Start its actor; it tries again by itself then.",
            )

    @router.post("/{episode_id}/retry", summary="Retry an upload", responses=responses(404, 409))
    async def retry(episode_id: str, user: Caller) -> UploadDecision:
        """Have the robot's computer bring an episode at once, also one that was refused."""
        user.require(Role.OPERATOR, "retry an upload")
        stuck(episode_id)
        check_connected(episode_id)
        await records.decide(lambda: expect_again(database, data_dir, episode_id))
        live.line.tell(UploadOrder(episode_id=episode_id, order="retry"))
        return UploadDecision(id=episode_id, done="retried")

    @router.post(
        "/{episode_id}/discard", summary="Discard an upload", responses=responses(404, 409)
    )
    async def discard(episode_id: str, user: Caller) -> UploadDecision:
        """Decide about an episode that the server cannot take, or that nothing is heard of.

        Refused while it can still come. The first is put away on the robot's computer, what came
        of the second on this one; nothing is deleted.
        """
        user.require(Role.OPERATOR, "discard an upload")
        found = stuck(episode_id)
        if found.problem:
            check_connected(episode_id)
            live.line.tell(UploadOrder(episode_id=episode_id, order="discard"))
            inbox.forget(episode_id)
        elif can_come():
            raise ApiError(
                409,
                "refused",
                f"episode {episode_id} is still on its way, {found.share:.0%} of it is here",
                hint="It is taken when it is here; exclude it then.",
            )
        given_up = await records.decide(lambda: give_up_coming(database, data_dir, episode_id))
        if not (given_up or found.problem):
            raise ApiError(
                409,
                "refused",
                f"episode {episode_id} is being recorded",
                hint="End the attempt first.",
            )
        live.changed()
        return UploadDecision(id=episode_id, done="discarded" if found.problem else "given_up")

    def can_come() -> bool:
        quiet_s = live.clock.wall_s() - max(one.heard_s for one in inbox.coming().values())
        return live.line.is_connected and live.line.is_apart and quiet_s < QUIET_S

    return router
