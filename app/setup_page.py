"""The Setup page: robots that can be opened, keys, safety, and what this installation is made of.

Robots are listed, looked over, seen through and changed by the API: `static/setup/robots.js` asks
for it. Everything else is set by the flags of `./run`, and only shown here.
"""

import json
import platform
import shutil
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import gradio as gr

from app.header import STATIC_URL, header_component
from app.live_page import STATIC
from app.wording import size
from backend.main import VERSION, Backend

PACKAGES = ("lerobot", "torch", "mujoco", "so101-nexus", "gradio", "fastapi")
SAFETY = """
<ul>
<li><b>STOP</b> on the Live page, by its button or key, works for everyone who watches and stays
until it is cleared. It is software: <b>it does not replace the robot's emergency stop</b>. Keep
that within reach.</li>
<li>One browser at a time holds the <b>lease</b> and drives. If it goes silent for a quarter of a
second while a human drives, the robot holds its pose; after a second the attempt is held.</li>
<li>Losing the focus, hiding the tab, unplugging the gamepad and closing the page release every
key. The gripper stays as it is.</li>
<li>Every action is cut to the joint limits and to the largest step of the robot's config before it
is sent. An action that is no number is refused, and the robot holds.</li>
<li>After a stop or a hold nothing moves again until a person says so.</li>
</ul>
"""


def build_setup_page(pages: gr.Blocks, backend: Backend) -> None:
    """Add the page `/setup` to `pages`."""
    with pages.route("Setup", "setup", show_in_navbar=False):
        header_component("Setup")
        with gr.Column(elem_classes="hr-page"):
            gr.HTML(
                html_template=(STATIC / "setup" / "robots.html").read_text("utf-8"),
                head="".join(
                    f'<link rel="stylesheet" href="{STATIC_URL}/setup/{name}.css">'
                    for name in ("check", "robots")
                ),
                js_on_load=f'import("{STATIC_URL}/setup/robots.js")'
                f".then((robots) => robots.mount(element, {json.dumps(_default(backend))}));",
                apply_default_css=False,
            )
            gr.HTML(
                html_template=_section("Keys", '<div data-part="keys"></div>'),
                js_on_load=f'import("{STATIC_URL}/setup.js")'
                f'.then((setup) => setup.mount(element, "{backend.settings.profile}"));',
                apply_default_css=False,
            )
            gr.HTML(_section("Safety", SAFETY), apply_default_css=False)
            installation = gr.HTML(apply_default_css=False)
        pages.load(
            lambda: installation_html(backend),
            outputs=installation,
            show_progress="hidden",
        )


def _default(backend: Backend) -> str:
    """The name of the robot that `open` means when nobody says otherwise."""
    robot = backend.settings.robot
    return Path(robot).stem if Path(robot).suffix else robot


def installation_html(backend: Backend) -> str:
    """Versions, folders and how much room there is."""
    data_dir = backend.settings.data_dir.absolute()
    disk = shutil.disk_usage(data_dir)
    facts = {
        "Handrail": VERSION,
        "Python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "data folder": str(data_dir),
        "disk": f"{size(disk.free)} free of {size(disk.total)}",
        "address": backend.settings.url,
    }
    rows = "".join(
        f"<tr><th scope=row>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in facts.items()
    )
    links = (
        "<p class='hr-quiet'>The same things for programs: <a href='/docs'>API</a>. "
        "Your name and token: <a href='/enter'>enter</a>.</p>"
    )
    return _section("Installation", f"<table class='hr-facts'>{rows}</table>{links}")


def _section(title: str, body: str) -> str:
    return f'<div class="hr hr-section"><h2>{title}</h2>{body}</div>'


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
