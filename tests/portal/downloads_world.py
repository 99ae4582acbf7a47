"""A portal in front of a log of any length, with involvements and wishes, for its downloads."""

from __future__ import annotations

from collections.abc import Sequence

from datwat.protocol.access_log import AccessCard
from datwat.protocol.own_affairs import OwnInvolvements, OwnWishes
from tests.portal.log_world import ORIGIN, LogWorld, build_log_world
from tests.portal.paper_world import build_involvements, build_wishes


class Affairs:
    """What the broker answers beside the log."""

    async def fetch_involvements(self, _handle: bytes) -> OwnInvolvements:
        """Return who is involved."""
        return build_involvements()

    async def fetch_wishes(self, _handle: bytes) -> OwnWishes:
        """Return what was said."""
        return build_wishes()


def build_downloads_world(
    own: Sequence[AccessCard] = (), other: Sequence[AccessCard] = (), *, url: str = ORIGIN
) -> LogWorld:
    """Return the portal; its logs hold what `log_world.build_log` makes."""
    world = build_log_world(own, other, url=url)
    affairs = Affairs()
    vars(world.desk).update(
        fetch_involvements=affairs.fetch_involvements, fetch_wishes=affairs.fetch_wishes
    )
    return world
