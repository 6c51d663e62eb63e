"""The Replay page: critic videos as a wall, one large, or two critics side by side in step.

One component with a constant template, run by the modules in `static/replay`. Videos come over the
REST interface with ranges; jobs make them.
"""

import gradio as gr

from app.header import STATIC_URL, header_html
from app.live_page import STATIC


def build_replay_page(pages: gr.Blocks) -> None:
    """Add the page `/replay` to `pages`."""
    template = (STATIC / "replay" / "page.html").read_text("utf-8")
    with pages.route("Replay", "replay", show_in_navbar=False):
        gr.HTML(
            html_template=template.replace("@@header@@", header_html("Replay")),
            js_on_load=f'import("{STATIC_URL}/replay/page.js")'
            ".then((page) => page.mount(element));",
            apply_default_css=False,
            elem_id="replay",
        )
