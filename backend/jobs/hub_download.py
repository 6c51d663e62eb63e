"""Fetches a dataset from the Hub, file by file, for who asked for it by name.

The token, for datasets that are not public, comes from the environment (`HF_TOKEN`) through the
Hub's own client; it is neither stored nor logged here.
"""

import shutil
from pathlib import Path
from typing import Any

from backend.episodes.files import fsync_path
from backend.jobs.child import JobChild, JobFailedError
from backend.jobs.export_params import aside_path

# How much of an import's progress the download is.
DOWNLOAD_SHARE = 0.5
# What the disk keeps free.
SPARE_BYTES = 1024**3


def download(child: JobChild, repo_id: str, root: Path, *, api: Any = None) -> None:
    """Download dataset `repo_id` to `root`, which appears when all of it is there.

    Args:
        child: The job that wants it.
        repo_id: Its name on the Hub.
        root: Must not exist.
        api: The Hub's client; None: `huggingface_hub.HfApi`.

    Raises:
        JobFailedError: The Hub does not have it, does not give it, or does not answer.
    """
    from huggingface_hub import HfApi  # noqa: PLC0415 - for who asked for it only

    client: Any = api or HfApi()
    aside = aside_path(child.data_dir, child.job_id, "new")
    child.report(0.0, f"asking the Hub for {repo_id}")
    try:
        files = client.dataset_info(repo_id, files_metadata=True).siblings
        total = sum(file.size or 0 for file in files) or 1
        _check_disk(child.data_dir, total)
        done = 0
        for number, file in enumerate(files, start=1):
            client.hf_hub_download(
                repo_id, file.rfilename, repo_type="dataset", local_dir=str(aside)
            )
            done += file.size or 0
            child.report(
                DOWNLOAD_SHARE * done / total,
                f"downloaded {number} of {len(files)} files, {done / 1e6:.0f} MB",
            )
        # Bookkeeping of the client.
        shutil.rmtree(aside / ".cache", ignore_errors=True)
        root.parent.mkdir(parents=True, exist_ok=True)
        aside.rename(root)
        fsync_path(root.parent)
    except JobFailedError:
        raise
    except Exception as error:  # the Hub's client raises many kinds
        raise JobFailedError(
            f"dataset {repo_id} cannot be had from the Hub: {error}. Is the name right, and does "
            "HF_TOKEN permit it if it is private?"
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _check_disk(data_dir: Path, num_bytes: int) -> None:
    free = shutil.disk_usage(data_dir).free
    if free < num_bytes + SPARE_BYTES:
        raise JobFailedError(
            f"the dataset has {num_bytes / 1e9:.1f} GB and the disk of {data_dir} has "
            f"{free / 1e9:.1f} GB left: free some first"
        )
