import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backend.episodes.label_ranges import (
    LabelRange,
    RangeKind,
    range_from_dict,
    steps_of,
    subtask_texts,
    visible_ranges,
)

NUM_STEPS = 12


def labelled(id, kind, start, end, text=""):
    return LabelRange(
        id=id, kind=RangeKind(kind), start_step=start, end_step=end, text=text, author="ana"
    )


def shape(ranges):
    return [(each.kind.value, each.start_step, each.end_step) for each in ranges]


def test_a_newer_range_cuts_an_older_one_of_its_layer_in_two():
    said = [labelled(1, "mistake", 0, 10), labelled(2, "correction", 4, 6)]

    assert shape(visible_ranges(said)) == [
        ("mistake", 0, 4),
        ("correction", 4, 6),
        ("mistake", 6, 10),
    ]
    # Without the newer one the older is whole again.
    assert shape(visible_ranges(said[:1])) == [("mistake", 0, 10)]


def test_ranges_of_different_layers_lie_over_each_other():
    said = [
        labelled(1, "mistake", 0, 10),
        labelled(2, "recovery", 5, 12),
        labelled(3, "subtask", 0, 12, "reach"),
    ]

    assert len(visible_ranges(said)) == 3


def test_steps_behind_the_end_are_left_out():
    ranges = [labelled(1, "mistake", 2, 9), labelled(2, "subtask", 3, 9, "reach")]

    assert np.flatnonzero(steps_of(ranges, RangeKind.MISTAKE, 5)).tolist() == [2, 3, 4]
    assert subtask_texts(ranges, 5) == ["", "", "", "reach", "reach"]
    assert subtask_texts(ranges, 2) == ["", ""]


def test_a_range_comes_back_from_plain_values_as_it_was():
    made = labelled(7, "subtask", 1, 3, "reach")

    assert range_from_dict(made.to_dict()) == made


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(RangeKind)),
            st.integers(0, NUM_STEPS - 1),
            st.integers(1, NUM_STEPS),
        ),
        max_size=8,
    )
)
def test_each_step_has_what_was_said_of_it_last_in_each_layer(spoken):
    said = [
        labelled(n, kind, start, min(NUM_STEPS, start + length))
        for n, (kind, start, length) in enumerate(spoken)
    ]

    visible = visible_ranges(said)

    for layer in {kind.layer for kind in RangeKind}:
        for step in range(NUM_STEPS):
            covering = [
                [
                    r.id
                    for r in ranges
                    if r.kind.layer == layer and r.start_step <= step < r.end_step
                ]
                for ranges in (said, visible)
            ]
            assert covering[1] == covering[0][-1:]
