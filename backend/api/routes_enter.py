"""`/enter`: shows a token once, leaves with a cookie. Also where a person gives a display name.

The token may come in the address (a link that a colleague sent) or through the form, which keeps it
out of the history. The cookie is HttpOnly and SameSite=Strict, so no other site can send it.
"""

from html import escape
from urllib.parse import parse_qs, unquote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from backend.api.auth import (
    COOKIE_AGE_S,
    NAME_COOKIE,
    TOKEN_COOKIE,
    Gatekeeper,
    clean_name,
    name_cookie,
)
from backend.api.gate import ENTER_PATH

FORM = """<!doctype html><meta charset="utf-8"><title>Handrail</title>
<meta name="viewport" content="width=device-width">
<body style="font: 16px system-ui; margin: 15vh auto; max-width: 24em; padding: 0 1em">
<h1>Handrail</h1><p role="alert">{message}</p>
<form method="post">
<p><label>Token<br><input name="token" type="password" autocomplete="current-password"
 autofocus {required} style="font: inherit; width: 100%"></label></p>
<p><label>Your name, for others to see who drives<br><input name="name" maxlength="40"
 value="{name}" style="font: inherit; width: 100%"></label></p>
<p><button style="font: inherit">Enter</button></p></form></body>"""

# A navigation that another site started does not carry a strict cookie through a redirect; a page
# that goes on by itself does.
GO_ON = """<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/">
<title>Handrail</title><a href="/">Go on</a>"""


def enter_router(gatekeeper: Gatekeeper) -> APIRouter:
    router = APIRouter()

    def answer(request: Request, token: str | None, name: str) -> Response:
        if gatekeeper.demands_token:
            if token is None:
                return form("This server demands a token.", request)
            if gatekeeper.role_of(token) is None:
                return form("That token is not known here.", request, status=401)
        response: Response = RedirectResponse("/", status_code=303)
        if request.headers.get("sec-fetch-site") == "cross-site":
            response = HTMLResponse(GO_ON)
        secure = request.url.scheme == "https"
        if token is not None and gatekeeper.demands_token:
            response.set_cookie(
                TOKEN_COOKIE,
                gatekeeper.cookie_of(token),
                max_age=COOKIE_AGE_S,
                httponly=True,
                samesite="strict",
                secure=secure,
            )
        if clean_name(name):
            response.set_cookie(
                NAME_COOKIE,
                name_cookie(clean_name(name)),
                max_age=COOKIE_AGE_S,
                samesite="strict",
                secure=secure,
            )
        return response

    def form(message: str, request: Request, *, status: int = 200) -> HTMLResponse:
        name = unquote(request.cookies.get(NAME_COOKIE, ""))
        required = "required" if gatekeeper.demands_token else "disabled"
        text = FORM.format(message=escape(message), name=escape(name), required=required)
        return HTMLResponse(text, status_code=status, headers={"referrer-policy": "no-referrer"})

    @router.get(ENTER_PATH, include_in_schema=False)
    def enter(request: Request, token: str | None = None, name: str = "") -> Response:
        if token is None and not name and not gatekeeper.demands_token:
            return form("No token is needed here; you may give a name.", request)
        return answer(request, token, name)

    @router.post(ENTER_PATH, include_in_schema=False)
    async def enter_by_form(request: Request) -> Response:
        fields = parse_qs((await request.body()).decode("utf-8", "replace"))
        return answer(request, fields.get("token", [None])[0], fields.get("name", [""])[0])

    return router
