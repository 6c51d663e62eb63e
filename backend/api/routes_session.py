"""`/api/session`: the present moment, and the command path for programs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from backend.api.auth import User
from backend.api.commands import CommandPath, CommandRequest
from backend.api.errors import ApiError, responses
from backend.api.live import Live
from backend.api.messages import Accepted, CommandBody, SessionNow
from backend.domain import Command

# HTTP statuses of refusals; all others are 409.
STATUSES = {"timeout": 504}


def caller(request: Request) -> User:
    """Who the gate let in."""
    user: User = request.state.user
    return user


Caller = Annotated[User, Depends(caller)]


def session_router(live: Live, commands: CommandPath) -> APIRouter:
    router = APIRouter(prefix="/api/session", tags=["session"])

    @router.get("", summary="Show the session", responses=responses())
    async def show_session() -> SessionNow:
        """Phase, driver, episode, counts, lease and rates of this moment, as the pages see it."""
        return live.session_now()

    @router.post("/command", summary="Command the session", responses=responses(409, 504))
    async def send_command(body: CommandBody, user: Caller) -> Accepted:
        """Send one command to the robot's process and wait for its answer.

        The same path as a key on the page. A `command_id` that was used before gets the first
        answer again and does nothing. Refused commands answer 409 with code `refused`, naming what
        would be possible. `stop` works for every role; others take the role operator.
        """
        request = CommandRequest(
            command=body.command,
            command_id=body.command_id,
            author=user.name,
            source="api",
            params=body.params,
        )
        answer = await commands.submit(request, user)
        if answer.error is not None:
            status = STATUSES.get(answer.error.code, 409)
            raise ApiError(status, answer.error.code, answer.error.message, hint=answer.error.hint)
        holder = live.lease.holder
        if holder is not None and body.command is not Command.STOP:
            live.notify("info", "program", f"{user.name} sent {body.command} by program")
        return Accepted(phase=answer.phase)

    return router
