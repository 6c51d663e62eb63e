"""What the server offers the actor, once for each change."""

import asyncio
from unittest.mock import create_autospec

import pytest

from backend.api.live import Live
from backend.api.policy_offers import PolicyOffers
from backend.jobs.online_orders import LearnerOrders
from backend.jobs.orders import JobOrders
from tests.jobs.test_online_orders import add_learner, database, promote, publish

__all__ = ["database"]


@pytest.fixture
def offers(database, tmp_path):
    live = create_autospec(Live, instance=True)
    orders = JobOrders(database, tmp_path, clock=lambda: 0.0)
    return PolicyOffers(live, database, tmp_path, LearnerOrders(database, orders)), live


def test_promoted_checkpoints_and_published_weights_take_one_path(offers, database, tmp_path):
    policy_offers, live = offers
    weights = tmp_path / "checkpoints/live/weights/000007"

    def look() -> list:
        live.offer_policy.reset_mock()
        asyncio.run(policy_offers.look())
        return [(call.args, call.kwargs["promoted_s"]) for call in live.offer_policy.mock_calls]

    assert look() == []
    promote(database, 400.0)
    old = tmp_path / "checkpoints/old/000100"
    assert look() == [(("old/000100", old), 400.0)]
    assert look() == [], "the actor remembers"
    add_learner(database, publish(tmp_path, 7))
    assert look() == [(("live@000007", weights), 1007.0)]
    promote(database, 600.0)
    assert look() == [(("old/000100", old), 600.0)]
