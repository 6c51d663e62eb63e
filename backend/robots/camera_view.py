"""The part of a camera's picture that is used: cut out, then made smaller.

Recorded frames, the page and policies all see the result, so what a policy is trained on is what it
acts on. The camera itself goes on at its own size. Only said here, and read from configs; done to
pictures in `arm_cameras.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.robots.config_values import ValueReader


@dataclass(frozen=True, kw_only=True)
class CameraView:
    """What is done to each picture of one camera."""

    # x, y of its top left corner, width and height, pixels; None uses the whole picture.
    crop_px: tuple[int, int, int, int] | None = None
    # Width and height it is scaled to, pixels; None leaves it at its size.
    size_px: tuple[int, int] | None = None

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of what comes out for a picture of `width` and `height`.

        Raises:
            ValueError: The cut-out lies outside of the picture, or no video can have that size.
        """
        if self.crop_px is not None:
            x, y, crop_width, crop_height = self.crop_px
            if x + crop_width > width or y + crop_height > height:
                raise ValueError(
                    f"crop {list(self.crop_px)} (x, y, width, height) leaves the camera's "
                    f"{width}x{height} picture"
                )
        size = self.size_px or (self.crop_px[2:] if self.crop_px else (width, height))
        if size[0] % 2 or size[1] % 2:
            raise ValueError(
                f"H.264 needs even picture sizes, this gives {size[0]}x{size[1]}; change crop or "
                "resize by a pixel"
            )
        return size

    def as_config(self) -> dict[str, list[int]]:
        """As a robot config has it."""
        parts = {"crop": self.crop_px, "resize": self.size_px}
        return {name: list(pixels) for name, pixels in parts.items() if pixels is not None}


def read_camera_views(reader: ValueReader, value: object) -> dict[str, CameraView]:
    """Read the key `cameras_view` of a robot config.

    Raises:
        RobotConfigError: A view breaks a rule that shows without the camera's size.
    """
    key = "cameras_view"
    return {
        name: _view(reader, f"{key}.{name}", view)
        for name, view in reader.mapping(key, value).items()
    }


def _view(reader: ValueReader, key: str, value: object) -> CameraView:
    view: Mapping[str, Any] = reader.mapping(key, value)
    reader.keys(key, view, optional=("crop", "resize"))
    if not view:
        raise reader.error(key, "needs crop, resize, or both; leave the camera out otherwise")
    crop, size = view.get("crop"), view.get("resize")
    return CameraView(
        crop_px=None
        if crop is None
        else _pixels(reader, f"{key}.crop", crop, "[x, y, width, height]", lowest=(0, 0, 16, 16)),
        size_px=None
        if size is None
        else _pixels(reader, f"{key}.resize", size, "[width, height]", lowest=(16, 16)),
    )


def _pixels(
    reader: ValueReader, key: str, value: object, shape: str, *, lowest: tuple[int, ...]
) -> Any:
    if (
        not isinstance(value, list)
        or len(value) != len(lowest)
        or any(not isinstance(number, int) or isinstance(number, bool) for number in value)
        or any(number < least for number, least in zip(value, lowest, strict=True))
    ):
        raise reader.error(
            key, f"needs {shape} in whole pixels, at least {list(lowest)}, got {value!r}"
        )
    return tuple(value)
