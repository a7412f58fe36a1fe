"""What went where, counted over each database."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bellwire.ledger.tallying import tally_routes
from bellwire.model import ChannelKey, Decision, Destination, RouteStep, Suppression
from makers import an_arrival

if TYPE_CHECKING:
    from bellwire.ledger.ledger import Ledger
    from bellwire.records import Arrival
    from fakes import FakeClock


def arrived(*destinations: tuple[str, str]) -> Arrival:
    """Return an alert that these routes took for these receivers; none: that one dropped."""
    found = tuple(Destination(route=route, receiver=receiver) for route, receiver in destinations)
    step = RouteStep(route="route.routes[1]", matched=True, note="dropped")
    dropped = Decision(suppressed=Suppression.DROPPED, steps=(step,))
    channels = tuple((ChannelKey(receiver=each.receiver, kind="webhook"),) for each in found)
    return an_arrival(decision=Decision(destinations=found) if found else dropped, channels=channels)


async def test_alerts_are_counted_by_the_routes_that_took_them(ledger: Ledger, clock: FakeClock) -> None:
    both = (("route", "ops"), ("route.routes[0]", "pager"))
    await ledger.record([arrived(*both), arrived(("route", "ops")), arrived()])
    tally = await ledger.ask(lambda connection: tally_routes(connection, clock.wall() - timedelta(days=1)))
    assert tally["routes"] == {"route": {"ops": 2}, "route.routes[0]": {"pager": 1}}
    assert tally["dropped"] == {"route.routes[1]": 1}
    assert (tally["alerts"], tally["whole"]) == (3, True)


async def test_what_came_before_is_not_counted(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.record([arrived(("route", "ops"))])
    clock.step_wall(7200)
    tally = await ledger.ask(lambda connection: tally_routes(connection, clock.wall() - timedelta(hours=1)))
    assert (tally["alerts"], tally["from"], tally["whole"]) == (0, None, True)


async def test_without_patience_the_newest_are_counted_and_it_says_so(ledger: Ledger, clock: FakeClock) -> None:
    for _ in range(3):
        await ledger.record([arrived(("route", "ops")) for _ in range(400)])
    since = clock.wall() - timedelta(days=1)
    tally = await ledger.ask(lambda connection: tally_routes(connection, since, patience=0.0))
    assert (tally["alerts"], tally["whole"]) == (500, False)
    assert tally["routes"] == {"route": {"ops": 500}}
