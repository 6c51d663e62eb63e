"""The look of a critic video: the colours of the pages, and the colour and order of each word."""

from collections.abc import Mapping

from backend.domain import Outcome
from backend.jobs.picture_text import Colour

BACKGROUND: Colour = (17, 20, 26)
PANEL: Colour = (25, 29, 37)
GRID: Colour = (52, 58, 70)
TEXT: Colour = (226, 230, 238)
FAINT: Colour = (140, 148, 162)
POLICY: Colour = (91, 155, 255)
HUMAN: Colour = (255, 159, 64)
SUCCESS: Colour = (76, 201, 120)
FAILURE: Colour = (240, 96, 96)
GREY: Colour = (120, 128, 142)
# A word, a shape and a colour each.
OUTCOMES: Mapping[Outcome, tuple[str, Colour]] = {
    Outcome.SUCCESS: ("SUCCESS", SUCCESS),
    Outcome.FAILURE: ("FAILURE", FAILURE),
    Outcome.NONE: ("NOT GRADED", GREY),
}


def word_rank(word: str) -> int:
    """Place of a word among all, the worst first; others come last."""
    ranks = ("very negative", "negative", "neutral", "positive", "very positive")
    return ranks.index(word) if word in ranks else len(ranks)


def word_colour(word: str) -> Colour:
    """Green for good, red for bad, brighter for very; grey for the rest."""
    strong = word.startswith("very ")
    base = {"positive": SUCCESS, "negative": FAILURE}.get(word.removeprefix("very "), GREY)
    if strong or base == GREY:
        return base
    red, green, blue = (round(0.8 * channel) for channel in base)
    return red, green, blue
