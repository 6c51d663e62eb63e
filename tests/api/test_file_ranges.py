"""Parts of files, also of growing ones."""

import psutil
import pytest

from backend.api.errors import ApiError
from backend.api.file_ranges import file_response

CONTENT = bytes(range(256)) * 4


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "overhead.mp4"
    path.write_bytes(CONTENT)
    return path


async def read(path, range_header=None):
    response = file_response(path, media_type="video/mp4", range_header=range_header, changes=False)
    body = b"".join([chunk async for chunk in response.body_iterator])
    return response, body


async def test_the_whole_file_without_a_range(path):
    response, body = await read(path)

    assert response.status_code == 200
    assert body == CONTENT
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["content-length"] == "1024"


@pytest.mark.parametrize(
    ("asked", "first", "end"),
    [
        ("bytes=0-", 0, 1024),
        ("bytes=0-99", 0, 100),
        ("bytes=1000-", 1000, 1024),
        ("bytes=1000-9999", 1000, 1024),
        ("bytes=-24", 1000, 1024),
        ("bytes=-9999", 0, 1024),
    ],
)
async def test_a_range_is_answered_exactly(path, asked, first, end):
    response, body = await read(path, asked)

    assert response.status_code == 206
    assert body == CONTENT[first:end]
    assert response.headers["content-range"] == f"bytes {first}-{end - 1}/1024"
    assert response.headers["content-length"] == str(end - first)


@pytest.mark.parametrize("asked", ["bytes=1024-", "bytes=5-4", "bytes=-0"])
async def test_a_range_outside_of_the_file_is_refused_by_name(path, asked):
    with pytest.raises(ApiError, match="1024 bytes") as refused:
        await read(path, asked)

    assert refused.value.status == 416


@pytest.mark.parametrize("asked", ["bytes=-", "lines=1-2", "bytes=1-2,5-6", "bytes=a-b"])
async def test_what_is_no_single_range_gets_the_whole_file(path, asked):
    response, body = await read(path, asked)

    assert response.status_code == 200
    assert body == CONTENT


async def test_what_is_appended_meanwhile_belongs_to_the_next_request(path):
    response = file_response(path, media_type="video/mp4", range_header=None, changes=True)
    with path.open("ab") as file:
        file.write(b"more")

    body = b"".join([chunk async for chunk in response.body_iterator])

    assert body == CONTENT
    assert response.headers["cache-control"] == "no-store"


def test_a_request_given_up_before_its_first_byte_leaves_no_file_open(tmp_path):
    path = tmp_path / "video.mp4"
    path.write_bytes(b"pictures")

    response = file_response(path, media_type="video/mp4", range_header=None, changes=False)

    assert response.headers["content-length"] == "8"
    assert str(path) not in [opened.path for opened in psutil.Process().open_files()]
