"""The Live page: one component with a constant template, run by the modules in `static/live`.

Gradio renders the template once and never again, so canvases and pictures survive. Cameras, keys
and numbers go over the two WebSockets: Gradio's events are too slow for them.
"""

from pathlib import Path

import gradio as gr

from app.header import STATIC_URL, header_html

STATIC = Path(__file__).parent / "static"


def build_live_page() -> None:
    """Add the Live page to the Blocks that are being built."""
    template = (STATIC / "live" / "page.html").read_text("utf-8")
    # Not a subclass: for those Gradio writes a stub file beside the source at every import.
    gr.HTML(
        html_template=template.replace("@@header@@", header_html("Live")),
        head=f'<script src="{STATIC_URL}/vendor/uplot/uPlot.iife.min.js"></script>'
        f'<link rel="stylesheet" href="{STATIC_URL}/live/phone.css">',
        js_on_load=f'import("{STATIC_URL}/live/page.js").then((page) => page.mount(element));',
        apply_default_css=False,
        elem_id="live",
    )
