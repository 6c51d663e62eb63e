"""The Data page: what was recorded, takes that were cut short, and exports to LeRobot datasets.

Only what is where: what happens is in `data_desk.py`, how it is worded in `data_rows.py`. A timer
looks after a running export, and only while there is one.
"""

import gradio as gr

from app.data_desk import (
    ALL_EPISODES,
    ANY_OUTCOME,
    KEEP,
    ORDERS,
    PAGE_SIZE,
    REPLACE,
    SHOWN_EPISODES,
    DataDesk,
)
from app.data_rows import EPISODE_HEADERS, job_html
from app.header import header_component
from app.wording import OUTCOMES
from backend.main import Backend

POLL_S = 1.0


def build_data_page(pages: gr.Blocks, backend: Backend) -> None:
    """Add the page `/data` to `pages`."""
    desk = DataDesk(backend)
    with pages.route("Data", "data", show_in_navbar=False):
        header_component("Data")
        with gr.Column(elem_classes="hr-page"):
            takes = _takes_section(desk)
            with gr.Row(equal_height=False):
                with gr.Column(scale=3, min_width=560):
                    filters, shown = _episodes_section(desk)
                with gr.Column(scale=2, min_width=380):
                    _export_section(pages, desk, filters)
        pages.load(desk.list_takes, outputs=takes)
        pages.load(desk.list_episodes, inputs=filters, outputs=shown)


def _takes_section(desk: DataDesk) -> list[gr.Component]:
    with gr.Column(visible=False, elem_classes="hr-section hr-takes") as section:
        title = gr.Markdown()
        chosen = gr.Radio(show_label=False, container=False, interactive=True)
        with gr.Row():
            recover = gr.Button("Recover: keep its whole steps", variant="primary")
            discard = gr.Button("Discard: move it aside")
    outputs = [section, title, chosen]
    recover.click(desk.recover, inputs=chosen, outputs=outputs)
    discard.click(desk.discard, inputs=chosen, outputs=outputs)
    return outputs


def _episodes_section(desk: DataDesk) -> tuple[list[gr.Component], list[gr.Component]]:
    gr.Markdown("## Episodes")
    with gr.Row(elem_classes="hr-filters"):
        search = gr.Textbox(
            label="search",
            placeholder="task, robot, operator or id",
            scale=3,
            min_width=180,
        )
        outcome = gr.Dropdown(
            [ANY_OUTCOME, *OUTCOMES.values()], label="outcome", scale=2, min_width=140
        )
        order = gr.Dropdown(list(ORDERS), label="order", scale=2, min_width=160)
    table = gr.Dataframe(
        headers=EPISODE_HEADERS,
        datatype="str",
        interactive=False,
        show_label=False,
        max_height=520,
        column_widths=["17%", "20%", "8%", "7%", "9%", "11%", "18%", "10%"],
        buttons=[],
        elem_classes="hr-table",
    )
    with gr.Row(elem_classes="hr-below"):
        note = gr.Markdown()
        more = gr.Button("Show more", size="sm", visible=False, scale=0, min_width=120)
        refresh = gr.Button("Refresh", size="sm", scale=0, min_width=100)
    limit = gr.State(PAGE_SIZE)
    inputs = [search, outcome, order, limit]
    outputs = [table, note, more]
    for event in (search.change, outcome.change, order.change, refresh.click):
        event(desk.list_episodes, inputs=inputs, outputs=outputs, show_progress="hidden")
    more.click(lambda shown: shown + PAGE_SIZE, inputs=limit, outputs=limit).then(
        desk.list_episodes, inputs=inputs, outputs=outputs, show_progress="hidden"
    )
    return inputs, outputs


def _export_section(pages: gr.Blocks, desk: DataDesk, filters: list[gr.Component]) -> None:
    gr.Markdown("## Export a LeRobot dataset")
    name = gr.Textbox(
        label="name",
        value="local/first",
        info="Two words and a slash: a folder in the data directory. Nothing is uploaded.",
    )
    which = gr.Radio([ALL_EPISODES, SHOWN_EPISODES], value=ALL_EPISODES, label="episodes")
    existing = gr.Radio([KEEP, REPLACE], value=KEEP, label="if a dataset of that name exists")
    with gr.Row():
        check = gr.Button("Dry run")
        export = gr.Button("Export", variant="primary")
    plan = gr.Markdown(elem_classes="hr-plan")
    job = gr.HTML(job_html(None))
    cancel = gr.Button("Cancel the export", variant="stop", visible=False)
    code = gr.Code(
        language="python",
        label="load it with",
        visible=False,
        interactive=False,
        lines=2,
        wrap_lines=True,
        buttons=["copy"],
    )
    with gr.Accordion("Log", open=False):
        log = gr.Textbox(show_label=False, lines=8, max_lines=14, interactive=False)
    job_id = gr.State("")
    timer = gr.Timer(POLL_S, active=False)
    orders = [name, which, existing, *filters[:2]]
    follow = [job, cancel, code, log, timer]
    check.click(desk.plan_export, inputs=orders, outputs=plan)
    export.click(desk.export, inputs=orders, outputs=[plan, job_id]).then(
        desk.follow, inputs=job_id, outputs=follow, show_progress="hidden"
    )
    cancel.click(desk.cancel, inputs=job_id, outputs=plan)
    timer.tick(desk.follow, inputs=job_id, outputs=follow, show_progress="hidden")
    pages.load(desk.newest_export, outputs=job_id).then(
        desk.follow, inputs=job_id, outputs=follow, show_progress="hidden"
    )
