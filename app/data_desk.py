"""What the Data page does: lists, recovers, discards, plans and starts exports, follows them.

Thin: each callback asks one function of `backend` and words its answer. Who may do what is decided
by the same rule as in the API.
"""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import gradio as gr

from app.data_rows import (
    episode_rows,
    job_html,
    load_code,
    log_tail,
    plan_text,
    take_choice,
)
from app.wording import OUTCOMES, counted
from backend.api.auth import User
from backend.api.errors import ApiError
from backend.db.models import JobRow
from backend.db.queries import EpisodeFilter, EpisodeOrder, list_episodes, list_jobs
from backend.domain import JobKind, JobState, Outcome, Role
from backend.episodes.recovery import RecoveryError
from backend.intake import discard_take, recover_take, unfinished_takes
from backend.jobs.export_params import ExportParamsError, read_params
from backend.jobs.export_plan import make_plan
from backend.jobs.kinds import JobParamsError
from backend.jobs.runner import JobStateError
from backend.main import Backend

PAGE_SIZE = 50
ANY_OUTCOME = "any outcome"
ALL_EPISODES = "all episodes"
SHOWN_EPISODES = "those of the filter on the left"
KEEP = "refuse"
REPLACE = "replace it"
ORDERS = {
    "newest first": EpisodeOrder.NEWEST,
    "oldest first": EpisodeOrder.OLDEST,
    "longest first": EpisodeOrder.LONGEST,
    "shortest first": EpisodeOrder.SHORTEST,
    "most human share first": EpisodeOrder.HUMAN_SHARE,
}
NO_EPISODES = "Nothing recorded yet. Open a session on the **Live** page and press **2**."
NO_MATCH = "No episode matches this filter."


class DataDesk:
    """The callbacks of the Data page. Holds nothing but the backend."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._data_dir = backend.settings.data_dir.absolute()

    # -- takes

    def list_takes(self) -> tuple[Any, str, Any]:
        """Section, title and choices of the unfinished takes."""
        takes = unfinished_takes(self._data_dir)
        choices = [take_choice(take) for take in takes]
        title = (
            f"### {counted(len(takes), 'unfinished take')}\n"
            "The recorder was killed in the middle of an attempt. Recovering keeps every whole "
            "step, without a grade; discarding moves the folder aside. Nothing is deleted."
        )
        first = choices[0][1] if choices else None
        return gr.update(visible=bool(takes)), title, gr.Radio(choices=choices, value=first)

    async def recover(self, take_id: str, request: gr.Request) -> tuple[Any, str, Any]:
        """Recover one take and list what is left."""
        return await self._settle(recover_take, "recover a take", take_id, request)

    async def discard(self, take_id: str, request: gr.Request) -> tuple[Any, str, Any]:
        """Discard one take and list what is left."""
        return await self._settle(discard_take, "discard a take", take_id, request)

    async def _settle(
        self, settle: Callable[..., Any], to_do: str, take_id: str, request: gr.Request
    ) -> tuple[Any, str, Any]:
        with _shown_errors():
            self._user(request).require(Role.OPERATOR, to_do)
            backend = self._backend
            await backend.records.decide(partial(settle, backend.database, self._data_dir, take_id))
        return self.list_takes()

    # -- episodes

    def list_episodes(
        self, search: str, outcome: str, order: str, limit: int
    ) -> tuple[Any, str, Any]:
        """Rows of the table, a line about them, and whether there are more."""
        wanted = EpisodeFilter(q=search, outcome=_outcome(outcome))
        with self._backend.database.read() as db:
            page = list_episodes(db, wanted, order=ORDERS[order], limit=limit)
            rows = episode_rows(page.items)
        if rows:
            note = f"{len(rows)} of {counted(page.total, 'episode')}"
        else:
            note = NO_MATCH if search or wanted.outcome else NO_EPISODES
        table = gr.update(value=rows, visible=bool(rows))
        return table, note, gr.update(visible=page.total > len(rows))

    # -- exports

    def plan_export(self, name: str, which: str, existing: str, search: str, outcome: str) -> str:
        """What an export would write, in words."""
        try:
            params = read_params(_params(name, which, existing, search, outcome))
            with self._backend.database.read() as db:
                return plan_text(make_plan(db, self._data_dir, params).summary())
        except ExportParamsError as error:
            return _refusal(error)

    def export(
        self,
        name: str,
        which: str,
        existing: str,
        search: str,
        outcome: str,
        request: gr.Request,
    ) -> tuple[str, Any]:
        """Queue an export; return words and the job's id."""
        user = self._user(request)
        try:
            user.require(Role.OPERATOR, "export")
            params = _params(name, which, existing, search, outcome)
            row = self._backend.jobs.submit(JobKind.EXPORT, params, user.name)
        except (JobParamsError, ApiError) as error:
            return _refusal(error), gr.skip()
        return "", row.id

    def newest_export(self) -> str:
        """Id of the export that was started last; empty before the first."""
        with self._backend.database.read() as db:
            newest = list_jobs(db, kind=JobKind.EXPORT, limit=1).items
            return newest[0].id if newest else ""

    def follow(self, job_id: str) -> tuple[str, Any, Any, str, Any]:
        """State, cancel button, code, log and timer of a job."""
        row = self._job(job_id)
        running = row is not None and not JobState(row.state).is_over
        code = load_code(row, self._data_dir)
        log = log_tail(self._backend.jobs.log_path(job_id)) if row else ""
        return (
            job_html(row),
            gr.update(visible=running),
            gr.update(value=code, visible=bool(code)),
            log,
            gr.Timer(active=running),
        )

    def cancel(self, job_id: str, request: gr.Request) -> str:
        """Ask a job to end; return words."""
        try:
            self._user(request).require(Role.OPERATOR, "cancel a job")
            self._backend.jobs.cancel(job_id)
        except (JobStateError, ApiError) as error:
            return _refusal(error)
        return "The export is being cancelled."

    def _job(self, job_id: str) -> JobRow | None:
        if not job_id:
            return None
        with self._backend.database.read() as db:
            return db.get(JobRow, job_id)

    def _user(self, request: gr.Request) -> User:
        user = self._backend.gatekeeper.user_of(request.request)
        if user is None:
            raise gr.Error("Enter with your token again: /enter", print_exception=False)
        return user


def _outcome(words: str) -> Outcome | None:
    return next((Outcome(word) for word, shown in OUTCOMES.items() if shown == words), None)


def _params(name: str, which: str, existing: str, search: str, outcome: str) -> dict[str, Any]:
    episodes: Any = "all"
    if which == SHOWN_EPISODES:
        wanted = _outcome(outcome)
        episodes = {"q": search.strip()} | ({"outcome": wanted.value} if wanted else {})
    return {"repo_id": name.strip(), "episodes": episodes, "overwrite": existing == REPLACE}


def _refusal(error: Exception) -> str:
    return f"**Not possible:** {error}"


@contextlib.contextmanager
def _shown_errors() -> Iterator[None]:
    """Errors that a person can act on are shown to them instead of logged."""
    try:
        yield
    except (RecoveryError, ApiError) as error:
        raise gr.Error(str(error), title="Not possible", print_exception=False) from error
