"""Draws the pictures of a critic video: cameras on top, value and advantage with a cursor below.

All that does not move is drawn once, in two versions: bright for the past, dim for the future. A
frame is then put together from slices of both, so it costs a copy and one line of text.

Colours are those of the pages: policy blue, human orange, success green, failure red. Each has a
word beside it. Time runs in steps, one frame each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from backend.domain import Outcome
from backend.jobs.picture_layout import camera_places, even, second_ticks, spans
from backend.jobs.picture_style import (
    BACKGROUND,
    FAINT,
    GRID,
    HUMAN,
    OUTCOMES,
    PANEL,
    POLICY,
    TEXT,
    word_colour,
    word_rank,
)
from backend.jobs.picture_text import PictureText, load_fonts

MIN_WIDTH = 720
STATUS_PX, VALUE_PX, ADVANTAGE_PX, AXIS_PX = 38, 190, 110, 26
LEFT_PX, RIGHT_PX = 62, 18
STATUS_COLUMNS_PX = (160, 230, 370, 480)
# How much of its brightness the future has.
DIMMED = 0.42


@dataclass(frozen=True, kw_only=True)
class Curves:
    """What is drawn of an episode of n steps."""

    # float [n]; NaN where nothing is known. All NaN: no score.
    value: np.ndarray
    spread: np.ndarray
    advantage: np.ndarray
    # str [n]; empty where there is no word.
    word: np.ndarray
    # bool [n].
    is_human: np.ndarray
    # Lowest and highest value that can be.
    value_range: tuple[float, float]
    fps: float

    @property
    def has_values(self) -> bool:
        return bool(np.isfinite(self.value).any())


@dataclass(frozen=True, kw_only=True)
class Caption:
    """What the video says of itself."""

    task: str
    outcome: Outcome
    # Checkpoint or what else the values are of.
    critic: str
    episode: str
    # Said in the middle of the curves when there is no value.
    why_empty: str


class CriticPicture:
    """Makes the frames of one episode's video."""

    def __init__(
        self, curves: Curves, caption: Caption, cameras: Mapping[str, tuple[int, int]]
    ) -> None:
        """Draw all that does not move.

        Args:
            curves: Of the episode.
            caption: Of the video.
            cameras: Width and height of each camera's pictures, in the order they are shown.
        """
        self._curves = curves
        self._fonts = load_fonts(13, 15, 18)
        self._places = camera_places(cameras)
        right = max(x + width for x, _, width, _ in self._places.values())
        bottom = max(y + height for _, y, _, height in self._places.values())
        self.width = even(max(MIN_WIDTH, right))
        shift = (self.width - right) // 2
        self._places = {n: (x + shift, y, w, h) for n, (x, y, w, h) in self._places.items()}
        self._status_top = bottom
        self._panel_top = bottom + STATUS_PX
        self.height = even(self._panel_top + VALUE_PX + ADVANTAGE_PX + AXIS_PX)
        still = np.full((self.height, self.width, 3), BACKGROUND, dtype=np.uint8)
        self._draw_header(still, caption)
        self._bright = self._panels()
        self._dim = (self._bright * DIMMED + np.array(PANEL) * (1 - DIMMED)).astype(np.uint8)
        for panels in (self._bright, self._dim):
            panels[VALUE_PX + ADVANTAGE_PX :] = BACKGROUND
            self._write_legend(panels, caption)
        self._still = still
        self._tags = {name: self._tag(name) for name in self._places}

    def frame(self, step: int, pictures: Mapping[str, np.ndarray]) -> np.ndarray:
        """The picture of one step, uint8 [height, width, 3] RGB.

        Args:
            step: From 0.
            pictures: Of each camera, uint8 RGB.
        """
        frame = self._still.copy()
        for name, (x, y, width, height) in self._places.items():
            shown = pictures[name]
            if shown.shape[:2] != (height, width):
                # Averaging over areas looks better from half the size on, and is slow.
                small = shown.shape[0] >= 2 * height
                how = cv2.INTER_AREA if small else cv2.INTER_LINEAR
                shown = cv2.resize(shown, (width, height), interpolation=how)
            frame[y : y + height, x : x + width] = shown
            tag = self._tags[name]
            frame[y + 6 : y + 6 + len(tag), x + 6 : x + 6 + tag.shape[1]] = tag
        self._draw_status(frame, step)
        cursor = self._x(step)
        panels = frame[self._panel_top : self._panel_top + len(self._bright)]
        panels[:, : cursor + 1] = self._bright[:, : cursor + 1]
        panels[:, cursor + 1 :] = self._dim[:, cursor + 1 :]
        bottom = VALUE_PX + ADVANTAGE_PX - 1
        cv2.line(panels, (cursor, 6), (cursor, bottom), TEXT, 1)
        value = self._curves.value[step]
        if np.isfinite(value):
            cv2.circle(panels, (cursor, self._value_y(value)), 5, TEXT, -1, cv2.LINE_AA)
            cv2.circle(panels, (cursor, self._value_y(value)), 3, POLICY, -1, cv2.LINE_AA)
        return frame

    def _x(self, step: float) -> int:
        last = max(1, len(self._curves.value) - 1)
        return LEFT_PX + round((self.width - LEFT_PX - RIGHT_PX - 1) * step / last)

    def _value_y(self, value: float) -> int:
        low, high = self._curves.value_range
        share = (np.clip(value, low, high) - low) / (high - low)
        return int(VALUE_PX - 16 - round((VALUE_PX - 40) * share))

    def _panels(self) -> np.ndarray:
        height = VALUE_PX + ADVANTAGE_PX + AXIS_PX
        panels = np.full((height, self.width, 3), PANEL, dtype=np.uint8)
        for first, end in spans(self._curves.is_human):
            left, right = self._x(first - 0.5), self._x(end - 0.5)
            part = panels[: VALUE_PX + ADVANTAGE_PX, max(LEFT_PX, left) : right]
            part[:] = (part * 0.78 + np.array(HUMAN) * 0.22).astype(np.uint8)
        self._draw_grid(panels)
        if self._curves.has_values:
            self._draw_value(panels)
            self._draw_advantage(panels)
        return panels

    def _write_legend(self, panels: np.ndarray, caption: Caption) -> None:
        with PictureText(panels, self._fonts) as text:
            if not self._curves.has_values:
                text.write(
                    (LEFT_PX + self.width) // 2,
                    VALUE_PX // 2,
                    caption.why_empty,
                    size=18,
                    colour=FAINT,
                    anchor="mm",
                )
            text.write(LEFT_PX + 8, 5, "value", size=15, colour=POLICY)
            if np.isfinite(self._curves.spread).any():
                text.write(LEFT_PX + 52, 7, "and its spread", size=13, colour=FAINT)
            if self._curves.is_human.any():
                text.write(
                    self.width - RIGHT_PX,
                    5,
                    "shaded: a person drove",
                    size=15,
                    colour=HUMAN,
                    anchor="ra",
                )
            text.write(LEFT_PX + 8, VALUE_PX + 4, "advantage", size=15, colour=TEXT)
            self._write_words(text)
            self._write_axes(text)

    def _draw_grid(self, panels: np.ndarray) -> None:
        for value in self._value_ticks():
            y = self._value_y(value)
            cv2.line(panels, (LEFT_PX, y), (self.width - RIGHT_PX, y), GRID, 1)
        cv2.line(panels, (0, VALUE_PX), (self.width, VALUE_PX), BACKGROUND, 3)
        middle = VALUE_PX + ADVANTAGE_PX // 2 + 8
        cv2.line(panels, (LEFT_PX, middle), (self.width - RIGHT_PX, middle), GRID, 1)

    def _draw_value(self, panels: np.ndarray) -> None:
        value, spread = self._curves.value, self._curves.spread
        for first, end in spans(np.isfinite(value) & np.isfinite(spread)):
            if end - first < 2:
                continue
            steps = range(first, end)
            upper = [(self._x(s), self._value_y(value[s] + spread[s])) for s in steps]
            lower = [(self._x(s), self._value_y(value[s] - spread[s])) for s in steps]
            band = panels.copy()
            cv2.fillPoly(band, [np.array(upper + lower[::-1])], POLICY, cv2.LINE_AA)
            cv2.addWeighted(band, 0.16, panels, 0.84, 0, dst=panels)
        for first, end in spans(np.isfinite(value)):
            points = np.array([(self._x(s), self._value_y(value[s])) for s in range(first, end)])
            cv2.polylines(
                panels, [points], isClosed=False, color=POLICY, thickness=2, lineType=cv2.LINE_AA
            )

    def _draw_advantage(self, panels: np.ndarray) -> None:
        advantage = self._curves.advantage
        middle, reach = VALUE_PX + ADVANTAGE_PX // 2 + 8, ADVANTAGE_PX // 2 - 18
        scale = self._advantage_scale()
        for step in np.flatnonzero(np.isfinite(advantage)):
            left = self._x(step - 0.5) if step else self._x(0)
            right = max(left, self._x(step + 0.5) - 1)
            y = middle - round(reach * float(advantage[step]) / scale)
            colour = word_colour(str(self._curves.word[step]))
            cv2.rectangle(
                panels, (left, middle), (min(right, self.width - RIGHT_PX), y), colour, -1
            )

    def _advantage_scale(self) -> float:
        known = np.abs(self._curves.advantage[np.isfinite(self._curves.advantage)])
        return max(1e-6, float(known.max())) if len(known) else 1.0

    def _value_ticks(self) -> Sequence[float]:
        return [float(tick) for tick in np.linspace(*self._curves.value_range, 5)]

    def _write_words(self, text: PictureText) -> None:
        x = LEFT_PX + 100
        for word in sorted({str(w) for w in self._curves.word if w}, key=word_rank):
            text.write(x, VALUE_PX + 6, word, size=13, colour=word_colour(word))
            x += 16 + 7 * len(word)

    def _write_axes(self, text: PictureText) -> None:
        for value in self._value_ticks():
            label = f"{value:.2f}"
            text.write(LEFT_PX - 8, self._value_y(value), label, size=13, colour=FAINT, anchor="rm")
        middle = VALUE_PX + ADVANTAGE_PX // 2 + 8
        text.write(LEFT_PX - 8, middle, "0", size=13, colour=FAINT, anchor="rm")
        if self._curves.has_values and np.isfinite(self._curves.advantage).any():
            reach, scale = ADVANTAGE_PX // 2 - 18, self._advantage_scale()
            for sign in (1, -1):
                label = f"{sign * scale:+.2g}"
                text.write(
                    LEFT_PX - 8, middle - sign * reach, label, size=13, colour=FAINT, anchor="rm"
                )
        seconds = (len(self._curves.value) - 1) / self._curves.fps
        top = VALUE_PX + ADVANTAGE_PX + 5
        for tick in second_ticks(seconds):
            x = self._x(tick * self._curves.fps)
            text.write(x, top, f"{tick:g} s", size=13, colour=FAINT, anchor="ma")

    def _draw_header(self, still: np.ndarray, caption: Caption) -> None:
        word, colour = OUTCOMES[caption.outcome]
        with PictureText(still, self._fonts) as text:
            chip = text.width(word, size=15) + 22
            text.box(12, 11, 12 + chip, 37, colour)
            text.write(12 + chip // 2, 24, word, size=15, colour=BACKGROUND, anchor="mm")
            right = f"critic {caption.critic}   episode {caption.episode}"
            taken = text.width(right, size=15)
            text.write(self.width - 14, 24, right, size=15, colour=FAINT, anchor="rm")
            room = self.width - 14 - taken - 24 - (12 + chip + 14)
            task = text.shortened(caption.task, size=18, width=room)
            text.write(12 + chip + 14, 24, task, size=18, colour=TEXT, anchor="lm")

    def _tag(self, name: str) -> np.ndarray:
        """A camera's name, as it is laid on its pictures."""
        room = 16 + round(self._fonts[13].getlength(name))
        tag = np.full((22, room, 3), BACKGROUND, dtype=np.uint8)
        with PictureText(tag, self._fonts) as text:
            text.write(8, 3, name, size=13, colour=TEXT)
        return tag

    def _draw_status(self, frame: np.ndarray, step: int) -> None:
        curves = self._curves
        strip = frame[self._status_top : self._status_top + STATUS_PX]
        human = bool(curves.is_human[step])
        driver, colour = ("HUMAN DRIVES", HUMAN) if human else ("POLICY DRIVES", POLICY)
        value, advantage = curves.value[step], curves.advantage[step]
        # Each in its own column, so that nothing jumps while numbers change.
        columns = [
            (STATUS_COLUMNS_PX[0], f"{step / curves.fps:.1f} s"),
            (STATUS_COLUMNS_PX[1], f"step {step} of {len(curves.value)}"),
        ]
        if curves.has_values:
            columns.append((STATUS_COLUMNS_PX[2], f"value {_number(value, '.2f')}"))
        if np.isfinite(curves.advantage).any():
            said = f"advantage {_number(advantage, '+.2f')}  {curves.word[step]}".rstrip()
            columns.append((STATUS_COLUMNS_PX[3], said))
        with PictureText(strip, self._fonts) as text:
            text.box(0, 6, 6, STATUS_PX - 6, colour)
            text.write(16, STATUS_PX // 2, driver, size=15, colour=colour, anchor="lm")
            for x, said in columns:
                text.write(x, STATUS_PX // 2, said, size=15, colour=TEXT, anchor="lm")


def _number(value: float, form: str) -> str:
    return format(value, form) if np.isfinite(value) else "-"
