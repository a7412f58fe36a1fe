"""Alerts are kept from recording to settlement, as many as fit; the oldest first, unless they are stuck."""

from __future__ import annotations

from bellwire.ledger.fresh import FreshAlerts
from makers import an_alert


def test_an_alert_is_kept_under_its_id_until_it_is_settled() -> None:
    fresh, alert = FreshAlerts(), an_alert()
    fresh.keep(alert, "1", 100)
    kept = fresh.get("1")
    assert kept is not None
    assert (kept.id, kept.title, alert.id) == ("1", alert.title, "")
    fresh.forget(["1", "2"])
    assert fresh.get("1") is None
    assert not fresh


def test_what_finds_no_room_is_not_kept_and_room_comes_back() -> None:
    fresh = FreshAlerts(most=1500)
    for name in "abc":
        fresh.keep(an_alert(), name, 250)
    assert [fresh.get(name) is not None for name in "abc"] == [True, True, False]
    fresh.forget(["a"])
    fresh.keep(an_alert(), "d", 250)
    assert fresh.get("d") is not None
    assert len(fresh) == 2


def test_what_is_stuck_gives_way() -> None:
    fresh = FreshAlerts(most=700, patience=3)
    fresh.keep(an_alert(), "stuck", 0)
    for number in range(5):
        fresh.keep(an_alert(), f"n{number}", 500)
    assert fresh.get("stuck") is None
    fresh.keep(an_alert(), "next", 0)
    assert fresh.get("next") is not None
