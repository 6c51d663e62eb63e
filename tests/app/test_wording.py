"""How facts are worded."""

from app.wording import size


def test_sizes_come_in_the_unit_that_suits_them() -> None:
    assert [size(n) for n in (12, 3_400, 5_300_000, 77_000_000_000)] == [
        "12 B",
        "3.4 KB",
        "5.3 MB",
        "77.0 GB",
    ]
