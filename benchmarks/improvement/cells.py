"""The cells of the comparison and what each one needs: data, no doing.

    demonstrations        the clumsy expert's attempts
    demos                 imitates those that succeeded; its policy drives the first round
    round1                that policy's attempts, graded, some of them rescued
    seed1, recap1         the presets, on everything so far, from the weights of `demos`
    seed-round2, …        their own policies' attempts; then seed2, recap2, …
    successes             imitates all that succeeded of what `recap` learned from at last, from the
                          weights of `demos` too
    demos-longer          the demonstrations alone, from the weights of `demos`, as many updates
    untrained             one update: how often flailing over the demonstrations' poses succeeds

A cell that trains also evaluates. Every cell belongs to one seed.
"""

from dataclasses import dataclass
from typing import Literal

from benchmarks.improvement.setting import PRESETS, Setting


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One piece of work with a result of its own."""

    name: str
    kind: Literal["record", "train"]
    # `record`: the cell whose policy drives, None for the expert.
    driver: str | None = None
    # `train`: how, and on which recordings.
    method: str = ""
    recordings: tuple[str, ...] = ()
    # `train`: the cell whose weights it begins with; None: random ones.
    start: str | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """Cells that must be done before."""
        others = [name for name in (self.driver, self.start) if name is not None]
        return (*self.recordings, *others)


def cells_of(setting: Setting) -> list[Cell]:
    """Return the cells of one seed, each after what it needs."""
    first: tuple[str, ...] = ("demonstrations", "round1")
    cells = [
        Cell(name="demonstrations", kind="record"),
        Cell(name="demos", kind="train", method="demos", recordings=first[:1]),
        Cell(name="round1", kind="record", driver="demos"),
    ]
    learned_from = dict.fromkeys(PRESETS, first)
    for number in range(1, setting.rounds + 1):
        for method in PRESETS:
            if number > 1:
                recording = f"{method}-round{number}"
                cells.append(Cell(name=recording, kind="record", driver=f"{method}{number - 1}"))
                learned_from[method] = (*learned_from[method], recording)
            cells.append(
                Cell(
                    name=f"{method}{number}",
                    kind="train",
                    method=method,
                    recordings=learned_from[method],
                    start="demos",
                )
            )
    return [
        *cells,
        Cell(
            name="successes",
            kind="train",
            method="successes",
            recordings=learned_from["recap"],
            start="demos",
        ),
        Cell(
            name="demos-longer",
            kind="train",
            method="demos",
            recordings=first[:1],
            start="demos",
        ),
        Cell(name="untrained", kind="train", method="untrained", recordings=first[:1]),
    ]
