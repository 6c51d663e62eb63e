"""Job `health`: looks a LeRobot dataset over and says in plain words what is wrong with it.

Nothing is changed and LeRobot is not needed, so datasets that it cannot load are told of too.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend.jobs.child import JobChild, JobFailedError, run_child
from backend.jobs.health_finding import Finding, Severity, in_order
from backend.jobs.health_layout import check_layout
from backend.jobs.health_motion import check_motion
from backend.jobs.health_outcomes import check_outcomes
from backend.jobs.health_params import HealthParamsError, read_health_params
from backend.jobs.health_tables import DatasetTables
from backend.jobs.health_videos import check_videos


def health(child: JobChild) -> dict[str, Any]:
    """Carry out the orders; return the findings.

    Raises:
        JobFailedError: There is no such folder.
    """
    try:
        repo_id, root = read_health_params(child.params, child.data_dir)
    except HealthParamsError as error:
        raise JobFailedError(str(error)) from error
    child.report(0.0, "reading the tables")
    tables, findings = look_over(root, report=child.report)
    counts = {s.value: sum(f.severity is s for f in findings) for s in Severity}
    child.report(1.0, summary(counts))
    return {
        "repo_id": repo_id,
        "path": str(root),
        "episodes": len(tables.places),
        "frames": tables.num_frames,
        "fps": tables.fps,
        "cameras": list(tables.cameras),
        "counts": counts,
        "findings": [finding.to_dict() for finding in findings],
    }


def look_over(
    root: Path, *, report: Callable[[float, str], None]
) -> tuple[DatasetTables, list[Finding]]:
    """Check the dataset at `root`; what was read of it, and the findings, worst first."""
    tables = DatasetTables(root)
    findings = list(tables.findings)
    report(0.2, "checking the tables")
    for look in (check_layout, check_motion, check_outcomes):
        findings.extend(look(tables))
    findings.extend(
        check_videos(
            tables,
            on_file=lambda done, total: report(
                0.3 + 0.69 * (done - 1) / total, f"video {done} of {total}"
            ),
        )
    )
    return tables, in_order(findings)


def summary(counts: dict[str, int]) -> str:
    """How it went, in a line."""
    if not any(counts.values()):
        return "nothing to complain of"
    words = {"broken": "broken", "warning": "to look at", "note": "good to know"}
    return ", ".join(f"{counts[name]} {word}" for name, word in words.items() if counts[name])


if __name__ == "__main__":
    sys.exit(run_child(health))
