"""Serves one file with HTTP ranges, also while somebody is still writing to it.

The size is taken once, when the request comes: what is appended later belongs to the next request.
(Starlette's FileResponse reads to the end, which breaks the length it promised.) The file is opened
when its first bytes are sent: a browser that gives up before that leaves nothing open.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from starlette.responses import Response, StreamingResponse

from backend.api.errors import ApiError

# Each piece is a hop to another thread and back.
CHUNK_BYTES = 1024 * 1024
RANGE = re.compile(r"bytes=(\d*)-(\d*)$")


def file_response(
    path: Path, *, media_type: str, range_header: str | None, changes: bool
) -> Response:
    """Return the file, or the part of it that `range_header` asks for.

    Args:
        path: An existing file.
        media_type: Its type.
        range_header: The request's `Range`, None for the whole file.
        changes: The file is still growing or may be rewritten: nobody may keep a copy.

    Raises:
        ApiError: 416, the range lies outside of the file.
    """
    size = path.stat().st_size
    span = _span(range_header, size)
    first, end = span or (0, size)
    headers = {
        "accept-ranges": "bytes",
        "content-length": str(end - first),
        "cache-control": "no-store" if changes else "private, max-age=3600",
    }
    if span:
        headers["content-range"] = f"bytes {first}-{end - 1}/{size}"
    return StreamingResponse(
        _read(path, first, end),
        status_code=206 if span else 200,
        media_type=media_type,
        headers=headers,
    )


def _span(range_header: str | None, size: int) -> tuple[int, int] | None:
    """[first, end) of a single range; None for the whole file, also for what is no such range."""
    match = RANGE.match(range_header.strip()) if range_header else None
    if match is None or not any(match.groups()):
        return None
    first_text, last_text = match.groups()
    if first_text:
        first = int(first_text)
        end = min(int(last_text) + 1, size) if last_text else size
    else:
        first, end = max(0, size - int(last_text)), size
    if first >= end:
        raise ApiError(
            416,
            "range",
            f"bytes {range_header} are outside of a file of {size} bytes",
            hint="Ask for less, or again later if it is still being recorded.",
        )
    return first, end


def _read(path: Path, first: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(first)
        left = end - first
        while left > 0 and (chunk := file.read(min(CHUNK_BYTES, left))):
            left -= len(chunk)
            yield chunk
