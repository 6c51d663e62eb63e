"""The Data page: episodes, LeRobot datasets in and out, their health, and pushes to the Hub.

One component with a constant template, run by the modules in `static/data`. Everything it shows and
does goes through the REST interface, so roles are checked there; jobs do the work.
"""

import gradio as gr

from app.header import STATIC_URL, header_html
from app.live_page import STATIC


def build_data_page(pages: gr.Blocks) -> None:
    """Add the page `/data` to `pages`."""
    template = (STATIC / "data" / "page.html").read_text("utf-8")
    with pages.route("Data", "data", show_in_navbar=False):
        gr.HTML(
            html_template=template.replace("@@header@@", header_html("Data")),
            js_on_load=f'import("{STATIC_URL}/data/page.js").then((page) => page.mount(element));',
            apply_default_css=False,
            elem_id="data",
        )
