"""The header of every page: where you are, and how the robot is.

Plain links, so that a page change closes its sockets and frees the lease. Only pages that work are
named here. The facts on the right are filled by the Live page's own code there, by `header.js` on
the other pages.
"""

from html import escape

import gradio as gr

STATIC_URL = "/handrail-static"

PAGES = (
    ("Live", "/"),
    ("Review", "/review"),
    ("Replay", "/replay"),
    ("Training", "/training"),
    ("Data", "/data"),
    ("Setup", "/setup"),
)

_MARK = (
    '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M3 6.5h18M3 6.5v11M21 6.5v11M12 '
    '6.5v11" fill="none" stroke="currentColor" stroke-width="3" stroke-linecap="round"/></svg>'
)

_FACTS = """
<div class="hr-header-facts">
  <a class="hr-chip" data-part="fact-phase" href="/" hidden></a>
  <span>robot <b data-part="fact-robot">–</b></span>
  <span><i class="hr-dot" data-part="fact-dot"></i><b data-part="fact-rate">– Hz</b></span>
  <span class="hr-fact-spare">disk <b data-part="fact-disk">–</b></span>
</div>
"""


def header_html(page: str) -> str:
    """Return the header with `page`, a name of `PAGES`, marked as the present one."""
    links = "".join(
        f'<a href="{path}"{" aria-current=page" if name == page else ""}>{escape(name)}</a>'
        for name, path in PAGES
    )
    return (
        f'<header class="hr-header"><span class="hr-brand">{_MARK}Handrail</span>'
        f'<nav class="hr-nav" aria-label="Pages">{links}</nav>{_FACTS}</header>'
    )


def header_component(page: str) -> None:
    """Add the header to a page that is not the Live page."""
    gr.HTML(
        html_template=f'<div class="hr">{header_html(page)}</div>',
        js_on_load=f'import("{STATIC_URL}/header.js").then((header) => header.mount(element));',
        apply_default_css=False,
    )
