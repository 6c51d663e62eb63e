"""What the Data page says of episodes, takes and exports, as text and HTML.

Only wording: what is listed and done comes from `backend`.
"""

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from app.wording import OUTCOMES, counted, length, share, size, when
from backend.db.models import EpisodeRow, JobRow
from backend.domain import EpisodeState, JobState
from backend.episodes.recovery import UnfinishedTake

EPISODE_HEADERS = ["outcome", "task", "length", "steps", "human", "policy", "when", "id"]
# States worth a word; a finished episode needs none.
STATE_WORDS = {
    EpisodeState.RECORDING: "● recording",
    EpisodeState.UNFINISHED: "■ unfinished",
    EpisodeState.RECOVERED: "recovered",
}
JOB_SHAPES = {
    JobState.QUEUED: "○",
    JobState.RUNNING: "●",
    JobState.DONE: "✓",
    JobState.FAILED: "✗",
    JobState.CANCELLED: "■",
}


def episode_rows(episodes: Iterable[EpisodeRow]) -> list[list[str]]:
    """One row of `EPISODE_HEADERS` per episode."""
    return [
        [
            _judgement(row),
            row.task,
            f"{row.num_steps / row.fps:.1f} s",
            f"{row.num_steps:,}",
            share(row.num_human_steps, row.num_steps),
            row.checkpoint_id or row.policy,
            when(row.started_s),
            row.id[:8],
        ]
        for row in episodes
    ]


def _judgement(row: EpisodeRow) -> str:
    state = EpisodeState(row.state)
    word = STATE_WORDS.get(state, "")
    if state in (EpisodeState.RECORDING, EpisodeState.UNFINISHED):
        return word
    return " · ".join(filter(None, [OUTCOMES[row.outcome], word]))


def take_choice(take: UnfinishedTake) -> tuple[str, str]:
    """Label and value of one unfinished take."""
    header = take.header
    what = f"{when(header.started_s)} · {header.task}" if header else "no header"
    if not header or take.num_steps == 0:
        return f"{what} · nothing to recover · {size(take.size_bytes)}", take.id
    seconds = length(take.num_steps, header.fps)
    return f"{what} · {seconds} · {size(take.size_bytes)}", take.id


def plan_text(summary: dict[str, Any]) -> str:
    """What an export would write, as Markdown."""
    if summary["episodes"] == 0:
        return (
            "**Nothing to export.** "
            + (_skipped(summary["skipped"]) or "Record and grade an attempt on the Live page.")
        ).strip()
    lines = [
        f"**{counted(summary['episodes'], 'episode')}**, "
        f"{counted(summary['frames'], 'frame')} at {summary['fps']:g} Hz, "
        f"about {size(summary['bytes'])}, for `{summary['repo_id']}`.",
        "Outcomes: "
        + ", ".join(f"{n} {OUTCOMES[outcome]}" for outcome, n in summary["outcomes"].items())
        + ".",
        "Columns: " + ", ".join(f"`{column}`" for column in summary["columns"]) + ".",
    ]
    if summary["unlabeled"]:
        lines.append(
            f"{counted(len(summary['unlabeled']), 'episode')} without a grade: "
            "exported with reward 0 and named in the manifest."
        )
    if summary["skipped"]:
        lines.append(_skipped(summary["skipped"]))
    return "\n\n".join(lines)


def _skipped(skipped: list[dict[str, str]]) -> str:
    if not skipped:
        return ""
    reasons = "; ".join(f"`{one['id'][:8]}` {one['reason']}" for one in skipped[:5])
    more = f"; and {len(skipped) - 5} more" if len(skipped) > 5 else ""
    return f"Left out: {reasons}{more}."


def job_html(row: JobRow | None) -> str:
    """State, progress bar and message of a job."""
    if row is None:
        return '<div class="hr"><p class="hr-quiet">No export has run yet.</p></div>'
    state = JobState(row.state)
    percent = round(100 * (1.0 if state is JobState.DONE else row.progress))
    target = escape(str(row.params.get("repo_id", "")))
    return (
        f'<div class="hr hr-job" data-state="{state}">'
        f"<div><b>{JOB_SHAPES[state]} {state}</b><span>{target}</span>"
        f"<span>{percent} %</span></div>"
        f'<div class="hr-bar" role="progressbar" aria-valuenow="{percent}">'
        f'<i style="width:{percent}%"></i></div>'
        f"<p>{escape(row.message)}</p></div>"
    )


def load_code(row: JobRow | None, data_dir: Path) -> str:
    """The two lines of Python that load a finished export; empty before."""
    if row is None or row.state != JobState.DONE:
        return ""
    repo_id = row.params["repo_id"]
    return (
        "from lerobot.datasets import LeRobotDataset\n"
        f'dataset = LeRobotDataset("{repo_id}", root="{data_dir / "datasets" / repo_id}")'
    )


def log_tail(path: Path, *, num_bytes: int = 4000) -> str:
    """The end of a job's log; empty before there is one."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - num_bytes))
        return file.read().decode("utf-8", "replace")
