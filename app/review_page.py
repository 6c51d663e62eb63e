"""The Review page: the queue of episodes, a player with everything on one cursor, and labels.

One component with a constant template, run by the modules in `static/review`, which use the REST
interface like any other program: roles, conflicts and refusals are those of the API.
"""

import gradio as gr

from app.header import STATIC_URL, header_html
from app.live_page import STATIC


def build_review_page(pages: gr.Blocks) -> None:
    """Add the page `/review` to `pages`."""
    template = (STATIC / "review" / "page.html").read_text("utf-8")
    with pages.route("Review", "review", show_in_navbar=False):
        gr.HTML(
            html_template=template.replace("@@header@@", header_html("Review")),
            js_on_load=f'import("{STATIC_URL}/review/page.js")'
            ".then((page) => page.mount(element));",
            apply_default_css=False,
            elem_id="review",
        )
