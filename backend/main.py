"""Puts the server together: settings in, one object with the FastAPI application out.

The only place that knows every part. `app` mounts its pages on `Backend.app` and serves it; tests
serve it bare. Starting and stopping happen in the application's lifespan, on its event loop.

No page, no route and no SQL is written here.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from backend.api.actor_socket import actor_router
from backend.api.actor_token import actor_token
from backend.api.app import make_app
from backend.api.auth import Gatekeeper, machine_names
from backend.api.clock import Clock
from backend.api.command_log import CommandRows
from backend.api.commands import CommandPath
from backend.api.control_socket import control_router
from backend.api.live import Live
from backend.api.live_socket import live_router
from backend.api.messages import ActorStatus
from backend.api.records import SessionRecords
from backend.api.routes_enter import enter_router
from backend.api.routes_session import session_router
from backend.db.engine import Database, migrate, open_database, sqlite_url
from backend.settings import Settings

log = logging.getLogger(__name__)
NO_ACTOR = "No actor is connected. Start one: python -m backend.actor --server {url}"


@dataclass(kw_only=True)
class Backend:
    """The server without its pages. `close()` may be repeated."""

    app: FastAPI
    settings: Settings
    live: Live
    database: Database
    gatekeeper: Gatekeeper

    @property
    def user_of(self):  # type: ignore[no-untyped-def]
        return self.gatekeeper.user_of

    def close(self) -> None:
        self.database.close()


def database_url(settings: Settings) -> str:
    return settings.database_url or sqlite_url(settings.data_dir)


def build_backend(settings: Settings, *, clock: Clock | None = None) -> Backend:
    """Prepare the data directory and the database, and build the application on them."""
    clock = clock or Clock()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    migrate(database_url(settings))
    database = open_database(database_url(settings))
    gatekeeper = Gatekeeper(settings, machine_names=machine_names())
    live = Live(
        clock=clock,
        data_dir=settings.data_dir,
        robot=settings.robot,
        policy=settings.policy,
        profile=settings.profile,
        actor_process=lambda: ActorStatus(
            state="stopped", message=NO_ACTOR.format(url=settings.actor_url)
        ),
    )
    records = SessionRecords(live, database)
    commands = CommandPath(live, CommandRows(database, wall_s=clock.wall_s))
    token = actor_token(settings.data_dir, os.environ)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        telling = asyncio.create_task(live.tell_changes())
        try:
            yield
        finally:
            telling.cancel()
            await records.finish()
            records.close()

    app = make_app(
        [
            enter_router(gatekeeper),
            live_router(live),
            control_router(live, commands),
            actor_router(live, commands, records, token=token),
            session_router(live, commands),
        ],
        gatekeeper=gatekeeper,
        version="0.1.0",
        lifespan=lifespan,
    )
    return Backend(app=app, settings=settings, live=live, database=database, gatekeeper=gatekeeper)
