"""The one shape of every error that a program sees: `{"error": {"code", "message", "hint"}}`.

Raise `ApiError` (or a subclass) anywhere below a route; these handlers turn it, FastAPI's own
refusals and unexpected exceptions into that shape. An unexpected one is logged here with its
traceback and answered without it.
"""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from backend.wire import ErrorBody, Message

log = logging.getLogger(__name__)

# What to do about errors that Starlette itself raises.
HINTS = {
    404: "/docs lists every path.",
    405: "/docs lists the methods of every path.",
    413: "Send less.",
}


class DetailedErrorBody(ErrorBody):
    """An error, and for a few codes what a program needs to go on."""

    # `conflict` of labels: both versions. Left out where there is nothing to add.
    details: dict[str, Any] | None = None


class ErrorReply(Message):
    """Body of every answer with a status of 400 or more."""

    error: DetailedErrorBody


class ApiError(Exception):
    """A refusal with its HTTP status; `code` and `details` are for programs, `message` and `hint`
    for people."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        hint: str = "",
        details: Message | None = None,
    ) -> None:
        self.status = status
        self.body = DetailedErrorBody(
            code=code,
            message=message,
            hint=hint,
            details=details.model_dump(mode="json") if details else None,
        )
        super().__init__(message)


class NotFoundError(ApiError):
    """Something with this id does not exist."""

    def __init__(self, what: str, given: str, *, hint: str = "") -> None:
        super().__init__(404, "not_found", f"there is no {what} {given!r}", hint=hint)


def error_response(
    status: int, body: ErrorBody, headers: dict[str, str] | None = None
) -> JSONResponse:
    error = body.model_dump()
    if error.get("details") is None:
        error.pop("details", None)
    return JSONResponse({"error": error}, status_code=status, headers=headers)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries for the errors that a route answers with, besides those that all have."""
    return {
        status: {"model": ErrorReply, "description": HTTPStatus(status).phrase}
        for status in sorted({*statuses, 401, 403, 422, 500})
    }


def handle_errors(app: FastAPI) -> None:
    """Answer every error of `app` in the one shape."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)


async def _api_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return error_response(error.status, error.body)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    message = f"{request.method} {request.url.path}: {error.detail}"
    body = ErrorBody(code=code, message=message, hint=HINTS.get(error.status_code, ""))
    return error_response(error.status_code, body, dict(error.headers or {}))


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    body = ErrorBody(
        code="invalid", message=explain(error.errors()), hint="/docs lists what each path takes."
    )
    return error_response(422, body)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    body = ErrorBody(
        code="internal",
        message=f"{request.method} {request.url.path} failed: {type(error).__name__}",
        hint="The server's log has the details.",
    )
    return error_response(500, body)


def explain(errors: Sequence[Any]) -> str:
    """Pydantic's findings as one line: the field, the rule, what came."""
    lines = []
    for found in errors:
        where = ".".join(str(part) for part in found["loc"]) or "message"
        given = repr(found.get("input"))
        given = given if len(given) <= 60 else given[:57] + "..."
        lines.append(f"{where}: {found['msg']} (got {given})")
    return "; ".join(lines)
