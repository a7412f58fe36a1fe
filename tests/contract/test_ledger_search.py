"""Looking for alerts finds just what a plain look at each of them finds, page by page, whatever the database."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from bellwire.ledger.searching import Search, search_alerts
from bellwire.model import AccountKey, AlertState, Severity, Suppression
from bellwire.routing.matcher_parser import parse_matchers
from bellwire.routing.matchers import all_match
from makers import PAGER, VISION, an_alert, an_arrival, ids

if TYPE_CHECKING:
    from bellwire.ledger.ledger import Ledger
    from bellwire.model import Alert
    from fakes import FakeClock

OTHER = AccountKey(name="other", base_url="https://other.example")
SEARCHES = [
    "{}",
    'account="vision"',
    'type="alert"',
    'severity="error"',
    'severity>="error"',
    'severity="no such thing"',
    'team="blue"',
    'team!="blue"',
    'team=""',
    'team=~"b.*"',
    'title=~".*7"',
    'title="title 7"',
    'title="theirs"',
    'upstream_id="theirs"',
    'message="told 3"',
    "payload.n>5",
    'account="other",type="note",team="a \\"quoted\\" 100% _name"',
    'upstream_id="u4"',
]


def one_of_many(number: int, chance: random.Random) -> tuple[AccountKey, Alert]:
    key = chance.choice([VISION, OTHER])
    severity = chance.choice(list(Severity))
    type_ = chance.choice(["alert", "note"])
    labels = {"account": key.name, "severity": severity.text, "type": type_}
    if team := chance.choice(["", "blue", "black", 'a "quoted" 100% _name']):
        labels["team"] = team
    if chance.random() < 0.3:
        labels |= {"title": "theirs", "message": "theirs", "upstream_id": "theirs"}  # a vendor's own keys
    alert = an_alert(
        account=key.name,
        upstream_id=f"u{number}",
        type=type_,
        severity=severity,
        title=f"title {number}",
        message=f"told {number}",
        labels=labels,
        payload={"n": number},
    )
    return key, alert


async def fill(ledger: Ledger, number: int) -> list[tuple[str, Alert, bool]]:
    """Record so many; return each with its id and whether it was suppressed, the newest first."""
    chance = random.Random(7)
    kept = []
    for key, alert in [one_of_many(each, chance) for each in range(number)]:
        quiet = chance.random() < 0.3
        arrival = (
            an_arrival(alert=alert, account=key, suppressed=Suppression.DROPPED)
            if quiet
            else an_arrival(PAGER, alert=alert, account=key)
        )
        (alert_id,) = ids(await ledger.record([arrival]))
        kept.append((alert_id, alert, quiet))
    return kept[::-1]


async def ask(ledger: Ledger, search: Search) -> dict[str, Any]:
    return await ledger.ask(lambda connection: search_alerts(connection, search))


async def every_page(ledger: Ledger, search: str, state: AlertState | None, limit: int) -> list[str]:
    matchers = parse_matchers(search)
    found: list[str] = []
    before: str | None = None
    while True:
        wanted = Search(matchers=matchers, state=state, limit=limit, before=before)
        answer = await ask(ledger, wanted)
        assert len(answer["alerts"]) <= limit
        found += [each["id"] for each in answer["alerts"]]
        before = answer["next"]
        if before is None:
            return found


@pytest.mark.parametrize("state", [None, AlertState.SUPPRESSED, AlertState.IN_FLIGHT, AlertState.DEAD])
async def test_a_search_finds_what_matches_and_nothing_else(ledger: Ledger, state: AlertState | None) -> None:
    kept = await fill(ledger, 40)
    suppressed = {None: {True, False}, AlertState.SUPPRESSED: {True}, AlertState.IN_FLIGHT: {False}}.get(state, set())
    for search in SEARCHES:
        matchers = parse_matchers(search)
        wanted = [each for each, alert, quiet in kept if quiet in suppressed and all_match(matchers, alert)]
        for limit in (3, 100):
            assert await every_page(ledger, search, state, limit) == wanted, search


async def test_time_bounds_a_search(ledger: Ledger, clock: FakeClock) -> None:
    (first,) = ids(await ledger.record([an_arrival(PAGER)]))
    await clock.advance(60)
    border = clock.now()
    (second,) = ids(await ledger.record([an_arrival(PAGER)]))
    found = {}
    for name, search in {"since": Search(since=border), "until": Search(until=border)}.items():
        answer = await ask(ledger, search)
        found[name] = [each["id"] for each in answer["alerts"]]
    assert found == {"since": [second], "until": [first]}


async def test_a_search_without_patience_says_where_to_go_on(ledger: Ledger) -> None:
    kept = await fill(ledger, 300)
    search = Search(matchers=parse_matchers('title="title 0"'))
    answer = await ledger.ask(lambda connection: search_alerts(connection, search, patience=0.0))
    assert answer["alerts"] == []
    assert answer["next"] is not None
    rest = Search(matchers=search.matchers, before=answer["next"])
    following = await ask(ledger, rest)
    assert [each["id"] for each in following["alerts"]] == [kept[-1][0]]
    assert following["next"] is None
