"""Puts routes, sockets, the gate and the error shape together into one FastAPI application.

Pages are mounted onto it later, at `/`, so everything here is registered before them, and an
unknown path under `/api` must not fall through to the pages: the last route catches it.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager

from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from backend.api.auth import Gatekeeper
from backend.api.errors import handle_errors
from backend.api.gate import Gate

DESCRIPTION = """
Handrail teaches a robot's policy from the browser; this is the same interface that its pages use.

Errors have one shape: `{"error": {"code", "message", "hint"}}`. Lists answer
`{"items": [...], "total": n, "next_cursor": ...}`. Times are Unix seconds where a name ends in
`_s`, milliseconds where it ends in `_ms`.

Sockets: `/ws/live` sends hello, ticks and events as JSON and camera frames as bytes (16 bytes
header, then JPEG; acknowledge each with one byte, the camera's number). `/ws/control` takes `take`,
`release`, `ask`, `keep` and `command`, and answers with `lease`, `ack` and `answer`.
"""
TAGS = [
    {"name": "session", "description": "The robot, now."},
    {"name": "episodes", "description": "Recorded attempts."},
    {"name": "labels", "description": "What people say of episodes: an append-only log."},
    {"name": "jobs", "description": "Background work, such as exports and trainings."},
    {"name": "datasets", "description": "LeRobot datasets: what is here, and what came of them."},
    {"name": "training", "description": "What a training can be made of, and how one went."},
    {"name": "checkpoints", "description": "What trainings made, and the one that drives."},
    {"name": "scores", "description": "What critics say of episodes, as numbers and as video."},
    {"name": "system", "description": "The server and what it can open."},
]
ALL_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def make_app(
    routers: Iterable[APIRouter],
    *,
    gatekeeper: Gatekeeper,
    version: str,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
) -> FastAPI:
    """Return the application without pages."""
    app = FastAPI(
        title="Handrail",
        version=version,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        lifespan=lifespan,
        # FastAPI's own pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,
    )
    app.add_middleware(Gate, gatekeeper=gatekeeper)
    handle_errors(app)
    routers = list(routers)
    for router in (*routers, _unknown_paths(routers)):
        app.include_router(router)
    return app


def _unknown_paths(routers: Iterable[APIRouter]) -> APIRouter:
    known = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    unknown = APIRouter()

    @unknown.api_route("/api", methods=ALL_METHODS, include_in_schema=False)
    @unknown.api_route("/api/{path:path}", methods=ALL_METHODS, include_in_schema=False)
    async def refuse(request: Request) -> None:
        path = request.url.path
        allowed = {
            m for route in known if route.path_regex.match(path) for m in route.methods or ()
        }
        if allowed:
            takes = ", ".join(sorted(allowed))
            raise HTTPException(405, f"this path takes {takes} only", {"Allow": takes})
        raise HTTPException(404, "there is no such path")

    return unknown
