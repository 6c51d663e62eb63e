"""The bundle in the repository is small, whole, and worth looking at."""

from backend.episodes.scores import read_scores
from backend.episodes.store import read_header
from backend.sandbox.bundle import BUNDLE_DIR


def test_the_bundle_that_ships_is_small_and_whole():
    files = [path for path in BUNDLE_DIR.rglob("*") if path.is_file()]
    (pretrained,) = BUNDLE_DIR.glob("checkpoints/*/*/pretrained_model")
    checkpoint_id = f"{pretrained.parts[-3]}/{pretrained.parts[-2]}"
    episodes = sorted((BUNDLE_DIR / "episodes").iterdir())

    assert sum(path.stat().st_size for path in files) < 25e6
    assert sum(path.stat().st_size for path in pretrained.iterdir()) < 15e6
    assert len(episodes) >= 25
    outcomes = set()
    for folder in episodes:
        scores = read_scores(BUNDLE_DIR, checkpoint_id, folder.name)
        outcomes.add(scores.outcome.value)
        assert read_header(folder).checkpoint_id == checkpoint_id, "its own policy drove it"
    assert outcomes == {"success", "failure"}
