"""Keeps telling the actor which policy should drive: a promoted checkpoint or published weights.

One path for both: what a person promotes is offered at once by the route, what a learner publishes
within a second by this. The actor takes each offer once, between two episodes.
"""

import asyncio
import logging
from pathlib import Path

from backend.api.live import Live
from backend.db.engine import Database
from backend.jobs.online_orders import LearnerOrders, Offer, offered_policy

log = logging.getLogger(__name__)
LOOK_EVERY_S = 1.0


class PolicyOffers:
    """Looks at the database; `look` and `follow` run on the event loop."""

    def __init__(
        self, live: Live, database: Database, data_dir: Path, learner: LearnerOrders
    ) -> None:
        """`learner` is asked in the same round for what else a learner needs."""
        self._live = live
        self._database = database
        self._data_dir = data_dir
        self._learner = learner
        self._offered: Offer | None = None

    async def look(self) -> None:
        """Offer what should drive, if that is another one than before."""
        offer = await asyncio.to_thread(self._find)
        if offer is not None and offer != self._offered:
            self._offered = offer
            self._live.offer_policy(offer.id, offer.folder, promoted_s=offer.since_s)

    async def follow(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.look()
                await asyncio.to_thread(self._learner.look)
            except Exception:
                # A busy database now may be well again in a second; and whatever else it was,
                # nobody would start this task again, and no new policy would reach the robot.
                log.exception("what an online learner needs could not be looked up; trying again")
            await asyncio.sleep(LOOK_EVERY_S)

    def _find(self) -> Offer | None:
        with self._database.read() as db:
            return offered_policy(db, self._data_dir)
