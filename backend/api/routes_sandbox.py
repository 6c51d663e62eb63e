"""`/api/sandbox`: the example data that a first start is offered, once."""

import asyncio

from fastapi import APIRouter

from backend.api.clock import Clock
from backend.api.errors import ApiError, responses
from backend.api.live import Live
from backend.api.messages import Documented
from backend.api.records import SessionRecords
from backend.api.routes_checkpoints import offer_promoted
from backend.api.routes_session import Caller
from backend.db.engine import Database
from backend.domain import Role
from backend.sandbox.bundle import Sandbox, SandboxError, SandboxState


class SandboxNow(Documented):
    """Whether there is example data to load."""

    state: SandboxState
    """`offered`: ask; `loaded`, `declined`: that was the answer; `unavailable`: nothing to ask."""
    size_bytes: int
    """Of what would be copied; 0 where nothing is offered."""
    may_answer: bool
    """Whether the caller may say."""


class SandboxBody(Documented):
    """What to do with it."""

    load: bool
    """True copies it into the data directory, false never asks again."""


class SandboxAnswered(Documented):
    """What came of it."""

    state: SandboxState
    checkpoint_id: str | None = None
    """The checkpoint that drives now; null when nothing was loaded."""
    num_episodes: int = 0


def sandbox_router(
    sandbox: Sandbox,
    *,
    live: Live,
    database: Database,
    records: SessionRecords,
    clock: Clock,
) -> APIRouter:
    router = APIRouter(prefix="/api/sandbox", tags=["system"])

    @router.get("", summary="Show whether there is example data to load", responses=responses())
    def show_sandbox(user: Caller) -> SandboxNow:
        """Offered to an empty data directory, until somebody says yes or no."""
        state = sandbox.state()
        return SandboxNow(
            state=state,
            size_bytes=sandbox.num_bytes() if state is SandboxState.OFFERED else 0,
            may_answer=user.role.includes(Role.OPERATOR),
        )

    @router.post("", summary="Load the example data, or do not", responses=responses(403, 409))
    async def answer_sandbox(body: SandboxBody, user: Caller) -> SandboxAnswered:
        """Load it (a checkpoint that then drives, episodes, scores), or never be asked again."""
        user.require(Role.OPERATOR, "decide about example data")
        try:
            if not body.load:
                await asyncio.to_thread(sandbox.decline)
                return SandboxAnswered(state=SandboxState.DECLINED)
            # In its place among the reports: an episode may be ending just now.
            loaded = await records.decide(lambda: sandbox.load(now_s=clock.wall_s()))
        except SandboxError as error:
            raise ApiError(409, "refused", str(error)) from error
        offer_promoted(live, database, sandbox.data_dir)
        return SandboxAnswered(
            state=SandboxState.LOADED,
            checkpoint_id=loaded.checkpoint_id,
            num_episodes=loaded.num_episodes,
        )

    return router
