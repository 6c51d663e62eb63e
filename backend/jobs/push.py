"""Job `push`: uploads a dataset to the Hub, for the admin who asked for it by name.

Private unless said otherwise, and never into a public repository by mistake. The files arrive in
one commit, so nobody meets half a dataset; files of an earlier push that are no longer part of it
go with the same commit. The token comes from the environment and goes to the Hub's client only.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from backend.jobs.child import JobChild, JobFailedError, run_child
from backend.jobs.push_params import (
    PUSHED,
    TOKEN_VARIABLE,
    PushParamsError,
    PushPlan,
    make_push_plan,
    read_push_params,
)

# LeRobot loads the revision that is tagged with the format's version.
VERSION_TAG = "v3.0"


def push(child: JobChild, *, client: Any = None) -> dict[str, Any]:
    """Carry out the orders; return what went where.

    Args:
        child: This job.
        client: The Hub's client; None: `huggingface_hub.HfApi` with the environment's token.

    Raises:
        JobFailedError: The orders cannot be obeyed, or the Hub refuses.
    """
    from huggingface_hub import HfApi  # noqa: PLC0415 - for who asked for it only

    try:
        plan = make_push_plan(read_push_params(child.params, child.data_dir))
    except PushParamsError as error:
        raise JobFailedError(str(error)) from error
    token = os.environ.get(TOKEN_VARIABLE)
    if client is None:
        if not token:
            raise JobFailedError(f"{TOKEN_VARIABLE} is not set: start the server with it")
        client = HfApi(token=token)
    try:
        _open_repository(child, plan, client)
        url = _upload(child, plan, client)
    except JobFailedError:
        raise
    except Exception as error:  # the Hub's client raises many kinds
        # Whatever the client says, the token must not be in it.
        said = str(error).replace(token, "***") if token else str(error)
        raise JobFailedError(
            f"the Hub did not take {plan.params.to}: {said}. May the token write there?"
        ) from None
    child.report(1.0, f"{len(plan.files)} files at {plan.params.to}")
    return {**plan.summary(), "commit": url}


def _open_repository(child: JobChild, plan: PushPlan, client: Any) -> None:
    to, private = plan.params.to, plan.params.private
    child.report(0.0, f"opening {to}")
    client.create_repo(to, repo_type="dataset", private=private, exist_ok=True)
    if private and not client.repo_info(to, repo_type="dataset").private:
        raise JobFailedError(
            f"{to} is there already and public, and private was asked for: choose another name, "
            'make it private on the Hub, or say "private": false'
        )


def _upload(child: JobChild, plan: PushPlan, client: Any) -> str:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete  # noqa: PLC0415

    to, root = plan.params.to, plan.params.root
    here = [file.as_posix() for file in plan.files]
    there = client.list_repo_files(to, repo_type="dataset")
    additions = [
        CommitOperationAdd(path_in_repo=file, path_or_fileobj=root / file) for file in here
    ]
    total, done = plan.num_bytes or 1, 0
    for number, (file, addition) in enumerate(zip(here, additions, strict=True), start=1):
        client.preupload_lfs_files(to, [addition], repo_type="dataset")
        done += (root / file).stat().st_size
        child.report(0.95 * done / total, f"uploaded {number} of {len(here)} files")
    if "README.md" not in there:
        card = card_text(plan).encode()
        additions.append(CommitOperationAdd(path_in_repo="README.md", path_or_fileobj=card))
    child.report(0.96, "putting it into place")
    removals = [CommitOperationDelete(path_in_repo=file) for file in _old(there, here)]
    commit = client.create_commit(
        to,
        [*additions, *removals],
        repo_type="dataset",
        commit_message=f"Upload {plan.params.repo_id} with Handrail",
    )
    # Absent before the first push.
    with suppress(Exception):
        client.delete_tag(to, tag=VERSION_TAG, repo_type="dataset")
    client.create_tag(to, tag=VERSION_TAG, repo_type="dataset")
    return str(commit.commit_url)


def _old(there: Sequence[str], here: Sequence[str]) -> list[str]:
    """Files of the dataset's folders that are on the Hub and no longer part of it."""
    return [file for file in there if file.split("/")[0] in PUSHED and file not in set(here)]


def card_text(plan: PushPlan) -> str:
    """A short description that people find on the Hub; they may write a better one there."""
    name = plan.params.to
    return (
        "---\ntask_categories:\n- robotics\ntags:\n- LeRobot\nconfigs:\n- config_name: default\n"
        "  data_files: data/*/*.parquet\n---\n\n"
        f"# {name}\n\nA LeRobot v3 dataset, exported by Handrail.\n\n"
        "```python\nfrom lerobot.datasets import LeRobotDataset\n\n"
        f'dataset = LeRobotDataset("{name}")\n```\n'
    )


if __name__ == "__main__":
    sys.exit(run_child(push))
