"""How an exported dataset takes the place of the one before."""

import sys
import threading

import pytest

from backend.episodes.files import exchange
from backend.jobs import export_params
from backend.jobs.export_params import aside_path, dataset_path, put_into_place, remove_leftovers

JOB = "job1"


def write_aside(data_dir, content: str):
    aside = aside_path(data_dir, JOB, "new")
    aside.mkdir(parents=True)
    (aside / "info").write_text(content)
    return aside


def test_the_first_export_is_just_there(tmp_path):
    final = dataset_path(tmp_path, "local/a")

    put_into_place(write_aside(tmp_path, "first"), final, job_id=JOB)

    assert (final / "info").read_text() == "first"


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for it")
def test_a_reader_is_never_without_the_dataset_while_exports_replace_it(tmp_path):
    final = dataset_path(tmp_path, "local/a")
    put_into_place(write_aside(tmp_path, "0"), final, job_id=JOB)
    over, missed, looks = threading.Event(), [], []

    def read() -> None:
        while not over.is_set():
            looks.append(final.exists())
            if not looks[-1]:
                missed.append(len(looks))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 101):
        put_into_place(write_aside(tmp_path, str(number)), final, job_id=JOB)
        remove_leftovers(tmp_path, JOB)
    over.set()
    reader.join()

    assert (final / "info").read_text() == "100"
    assert looks
    assert missed == []
    assert sorted(path.name for path in (tmp_path / "datasets").iterdir()) == ["local"]


def test_where_folders_cannot_be_exchanged_it_is_replaced_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(export_params, "exchange", lambda _one, _other: False)
    final = dataset_path(tmp_path, "local/a")
    for content in ("first", "second"):
        put_into_place(write_aside(tmp_path, content), final, job_id=JOB)

    assert (final / "info").read_text() == "second"
    assert [path.name for path in final.parent.iterdir()] == ["a"]


def test_who_is_killed_between_two_renames_has_lost_nothing(tmp_path, monkeypatch):
    final = dataset_path(tmp_path, "local/a")
    put_into_place(write_aside(tmp_path, "first"), final, job_id="earlier")
    monkeypatch.setattr(export_params, "exchange", lambda _one, _other: False)
    aside = write_aside(tmp_path, "second")
    moved = type(aside).rename

    def die_before_the_second(path, target):
        if path == aside:
            raise KeyboardInterrupt
        return moved(path, target)

    monkeypatch.setattr(type(aside), "rename", die_before_the_second)
    with pytest.raises(KeyboardInterrupt):
        put_into_place(aside, final, job_id=JOB)
    assert not final.exists()

    remove_leftovers(tmp_path, JOB)
    assert (final / "info").read_text() == "first"
    assert not aside.exists()


def test_what_is_not_there_cannot_be_exchanged(tmp_path):
    (tmp_path / "one").mkdir()

    with pytest.raises(FileNotFoundError, match="two"):
        exchange(tmp_path / "one", tmp_path / "two")
