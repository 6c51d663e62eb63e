"""`/api/user`: who is asking, so that a page greys what this role may not do and says why."""

from fastapi import APIRouter

from backend.api.errors import responses
from backend.api.messages import Documented
from backend.api.routes_session import Caller
from backend.domain import Role


class UserReply(Documented):
    """The caller."""

    name: str
    role: Role
    """viewer < labeler < operator < admin; each may do what those before it may."""


def user_router() -> APIRouter:
    router = APIRouter(prefix="/api", tags=["system"])

    @router.get("/user", summary="Say who is asking", responses=responses())
    def show(user: Caller) -> UserReply:
        """The display name and the role that came with the token."""
        return UserReply(name=user.name, role=user.role)

    return router
