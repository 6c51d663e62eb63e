"""Mounts the pages on the server's application, with their static files and their look.

Everything the browser loads comes from this server: fonts are the system's, libraries are vendored,
Gradio's analytics are off. Routes of the API must be registered before.
"""

import os
import warnings
from collections.abc import Callable
from typing import Any

import gradio as gr
from fastapi import FastAPI
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app.header import STATIC_URL
from app.live_page import STATIC, build_live_page

STYLES = (
    "handrail.css",
    "live/live.css",
    "training/training.css",
    "data/data.css",
    "replay/replay.css",
    "review/review.css",
    "tour/tour.css",
    "vendor/uplot/uPlot.min.css",
)


class _FreshStatic(StaticFiles):
    """Static files that a browser asks about again at each load: an upgrade is seen at once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "no-cache"
        return response


def build_pages(*build_more: Callable[[gr.Blocks], None]) -> gr.Blocks:
    """Return the Live page, and whatever pages `build_more` add by `Blocks.route`."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    pages = gr.Blocks(title="Handrail", fill_width=True, analytics_enabled=False)
    with pages:
        build_live_page()
    for build in build_more:
        build(pages)
    return pages


def mount_pages(
    app: FastAPI, pages: gr.Blocks, *, user_of: Callable[[HTTPConnection], Any]
) -> Callable[[], None]:
    """Serve `pages` at `/` of `app` to whom `user_of` gives a name.

    Returns:
        To be called when the server stops: ends the streams that Gradio keeps open to every
        browser, for which the server would wait.
    """
    app.mount(STATIC_URL, _FreshStatic(directory=STATIC), name="handrail-static")
    links = "".join(f'<link rel="stylesheet" href="{STATIC_URL}/{path}">' for path in STYLES)
    tour = f'<script type="module" src="{STATIC_URL}/tour/tour.js"></script>'
    with warnings.catch_warnings():
        # Said of every mount with more than one page.
        warnings.filterwarnings("ignore", "SSR mode is not supported", UserWarning)
        gr.mount_gradio_app(
            app,
            pages,
            path="/",
            auth_dependency=user_of,
            ssr_mode=False,
            footer_links=[],
            run_history=False,
            favicon_path=str(STATIC / "icon.png"),
            theme=gr.themes.Default(
                primary_hue="blue",
                neutral_hue="slate",
                font=["system-ui", "sans-serif"],
                font_mono=["ui-monospace", "monospace"],
            ),
            head=links + tour,
            show_error=True,
        )
    mounted = [route.app for route in app.routes if isinstance(route, Mount)]
    gradio = next(app for app in mounted if isinstance(app, gr.routes.App))
    return gradio.stop_event.set
