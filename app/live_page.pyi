"""The Live page: one component with a constant template, run by the modules in `static/live`.

Gradio renders the template once and never again, so canvases and pictures survive. Cameras, keys and
numbers go over the two WebSockets, not through Gradio's events, which are too slow for them.
"""

from pathlib import Path

import gradio as gr

from app.header import header_html

STATIC = Path(__file__).parent / "static"
STATIC_URL = "/handrail-static"

from gradio.events import Dependency

class LiveView(gr.HTML):
    """The whole Live page. Connects to the server that serves it."""

    def __init__(self) -> None:
        template = (STATIC / "live" / "page.html").read_text("utf-8")
        super().__init__(
            html_template=template.replace("@@header@@", header_html("Live")),
            head=f'<script src="{STATIC_URL}/vendor/uplot/uPlot.iife.min.js"></script>',
            js_on_load=f'import("{STATIC_URL}/live/page.js").then((page) => page.mount(element));',
            apply_default_css=False,
            elem_id="live",
        )

    def get_block_name(self) -> str:
        """The browser knows this component as plain `html`."""
        return "html"
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block

    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component

def build_live_page() -> None:
    """Add the Live page to the Blocks that are being built."""
    gr.Navbar(visible=False, main_page_name="Live")
    LiveView()
