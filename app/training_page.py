"""The Training page: runs, the form that starts one, and checkpoints with what became of them.

One component with a constant template, run by the modules in `static/training`, which use the REST
interface like any other program: roles and refusals are those of the API.
"""

import gradio as gr

from app.header import STATIC_URL, header_html
from app.live_page import STATIC


def build_training_page(pages: gr.Blocks) -> None:
    """Add the page `/training` to `pages`."""
    template = (STATIC / "training" / "page.html").read_text("utf-8")
    with pages.route("Training", "training", show_in_navbar=False):
        gr.HTML(
            html_template=template.replace("@@header@@", header_html("Training")),
            head=f'<script src="{STATIC_URL}/vendor/uplot/uPlot.iife.min.js"></script>',
            js_on_load=f'import("{STATIC_URL}/training/page.js")'
            ".then((page) => page.mount(element));",
            apply_default_css=False,
            elem_id="training",
        )
