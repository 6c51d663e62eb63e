"""The server itself."""

import shutil
from pathlib import Path

from fastapi import APIRouter

from backend.api.errors import responses
from backend.api.live import Live
from backend.api.messages import ActorStatus, Documented


class Health(Documented):
    """Whether the server lives, and what it is made of."""

    version: str
    uptime_s: float
    actor: ActorStatus
    disk_free_bytes: int
    """Of the disk that holds the data directory."""
    disk_total_bytes: int
    data_dir: str
    viewers: int


def system_router(live: Live, data_dir: Path, *, version: str) -> APIRouter:
    router = APIRouter(prefix="/api", tags=["system"])
    began_s = live.clock.monotonic_s()

    @router.get("/health", summary="Show the server's health", responses=responses())
    async def show_health() -> Health:
        """Version, uptime, the actor's state, and how much disk is left."""
        disk = shutil.disk_usage(data_dir)
        return Health(
            version=version,
            uptime_s=live.clock.monotonic_s() - began_s,
            actor=live.actor_status(),
            disk_free_bytes=disk.free,
            disk_total_bytes=disk.total,
            data_dir=str(data_dir),
            viewers=live.num_viewers,
        )

    return router
