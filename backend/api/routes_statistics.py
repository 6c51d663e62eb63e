"""`/api/statistics`: how the attempts of a session, a checkpoint, or all of them went."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from backend.api.errors import NotFoundError, responses
from backend.api.messages import Documented
from backend.db.attempt_queries import list_attempts, newest_session
from backend.db.engine import Database
from backend.db.models import SessionRow
from backend.statistics import Summary, by_version, summarize

LATEST = "latest"


class AttemptSummary(Documented):
    """Some finished attempts, by the labels in force; shares and rates are None without any."""

    success: int
    failure: int
    unlabeled: int
    """Finished and not graded."""
    alone: int
    """Successes in which no person drove a step."""
    rate: float | None
    """success / (success + failure) and its 95 % Wilson interval."""
    rate_low: float | None
    rate_high: float | None
    human_share: float | None
    """Human steps / all steps."""
    intervened_share: float | None
    """Attempts in which a person drove / all attempts."""
    success_s: float | None
    """Seconds that successful attempts took: median, then quartiles."""
    success_low_s: float | None
    success_high_s: float | None
    attempts_per_hour: float | None
    """While somebody works; None before three attempts and a minute of work."""

    @classmethod
    def of(cls, summary: Summary) -> "AttemptSummary":
        return cls(**asdict(summary))


class VersionStatistics(Documented):
    """What one version did."""

    version: str
    """A checkpoint `run/step`, published weights `run@version`, or a built-in policy's name."""
    since_s: float
    """When it first drove."""
    summary: AttemptSummary


class Statistics(Documented):
    """All attempts that were asked for, then one summary a version."""

    session_id: str | None
    """The one they are of; None for all."""
    summary: AttemptSummary
    versions: list[VersionStatistics]
    """In the order in which they first drove."""


def statistics_router(database: Database) -> APIRouter:
    router = APIRouter(prefix="/api/statistics", tags=["session"])

    @router.get("", summary="Show statistics", responses=responses(404))
    def show(
        session_id: Annotated[
            str | None, Query(description=f"only of this session; `{LATEST}` for the last opened")
        ] = None,
        checkpoint_id: Annotated[
            str | None, Query(description="only what this checkpoint drove")
        ] = None,
    ) -> Statistics:
        """Success rate with its interval, interventions, time to success and pace, by version."""
        with database.read() as db:
            if session_id == LATEST:
                newest = newest_session(db)
                session_id = newest.id if newest else ""
            elif session_id is not None and db.get(SessionRow, session_id) is None:
                raise NotFoundError("session", session_id)
            attempts = list_attempts(db, session_id=session_id, checkpoint_id=checkpoint_id)
        return Statistics(
            session_id=session_id or None,
            summary=AttemptSummary.of(summarize(attempts)),
            versions=[
                VersionStatistics(
                    version=one.version,
                    since_s=one.since_s,
                    summary=AttemptSummary.of(one.summary),
                )
                for one in by_version(attempts)
            ],
        )

    return router
