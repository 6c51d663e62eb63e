"""Keeps every command and its answer as a row: who asked for what, when, and what came of it.

Database work runs in threads; each call returns when its change is on the disk.
"""

import asyncio
from collections.abc import Callable

from backend.api.commands import CommandRequest
from backend.db.engine import Database
from backend.db.models import CommandRow
from backend.domain import Phase
from backend.wire import Answer, ErrorBody


class CommandRows:
    """The `commands` table as a `CommandLog`."""

    def __init__(self, database: Database, *, wall_s: Callable[[], float]) -> None:
        self._database = database
        self._wall_s = wall_s

    async def find(self, command_id: str) -> Answer | None:
        return await asyncio.to_thread(self._find, command_id)

    async def begin(self, request: CommandRequest) -> None:
        await asyncio.to_thread(self._begin, request)

    async def conclude(self, answer: Answer) -> None:
        await asyncio.to_thread(self._conclude, answer)

    def _find(self, command_id: str) -> Answer | None:
        with self._database.read() as db:
            row = db.get(CommandRow, command_id)
            if row is None or row.accepted is None:
                return None
            return Answer(
                command_id=row.command_id,
                accepted=row.accepted,
                phase=Phase(row.phase or Phase.CLOSED),
                error=ErrorBody.model_validate(row.error) if row.error else None,
            )

    def _begin(self, request: CommandRequest) -> None:
        with self._database.write() as db:
            if db.get(CommandRow, request.command_id) is None:
                db.add(
                    CommandRow(
                        command_id=request.command_id,
                        command=request.command,
                        params=request.params,
                        author=request.author,
                        source=request.source,
                        created_s=self._wall_s(),
                        accepted=None,
                        phase=None,
                        error=None,
                    )
                )

    def _conclude(self, answer: Answer) -> None:
        with self._database.write() as db:
            row = db.get(CommandRow, answer.command_id)
            if row is not None and row.accepted is None:
                row.accepted = answer.accepted
                row.phase = answer.phase
                row.error = answer.error.model_dump() if answer.error else None
