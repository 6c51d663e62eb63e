"""Text on pictures: real fonts, which OpenCV does not have, on a part of an array."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def load_fonts(*sizes: int) -> dict[int, Font]:
    """Pillow's own font in these sizes; nothing of the machine is needed."""
    return {size: ImageFont.load_default(size) for size in sizes}


class PictureText:
    """Writes on a part of a picture; what is written arrives when the block ends."""

    def __init__(self, target: np.ndarray, fonts: dict[int, Font]) -> None:
        self._target = target
        self._fonts = fonts
        self._image = Image.fromarray(target)
        self._draw = ImageDraw.Draw(self._image)

    def __enter__(self) -> "PictureText":
        return self

    def __exit__(self, *_error: object) -> None:
        self._target[:] = np.asarray(self._image)

    def write(
        self, x: int, y: int, words: str, *, size: int, colour: Colour, anchor: str = "la"
    ) -> None:
        """Write `words` at (x, y); `anchor` is Pillow's: la is left and top, mm the middle."""
        self._draw.text((x, y), words, fill=colour, font=self._fonts[size], anchor=anchor)

    def box(self, left: int, top: int, right: int, bottom: int, colour: Colour) -> None:
        """Fill a box with round corners."""
        self._draw.rounded_rectangle((left, top, right, bottom), radius=4, fill=colour)

    def width(self, words: str, *, size: int) -> int:
        """Pixels that `words` take."""
        return round(self._draw.textlength(words, font=self._fonts[size]))

    def shortened(self, words: str, *, size: int, width: int) -> str:
        """`words`, or as much of them as fits."""
        if self.width(words, size=size) <= width:
            return words
        while words and self.width(words + "...", size=size) > width:
            words = words[:-1]
        return words.rstrip() + "..."
