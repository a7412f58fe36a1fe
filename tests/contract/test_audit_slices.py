"""The audit in slices says what the audit in one piece does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from bellwire.ledger import auditing
from bellwire.ledger.tables import alerts
from bellwire.model import AlertState, Suppression
from makers import PAGER, VISION, an_alert, an_arrival, ids

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bellwire.ledger.ledger import Ledger
    from bellwire.ledger.transaction import Transaction
    from bellwire.records import AuditSlice


def in_slices(connection: Connection, size: int) -> list[AuditSlice]:
    slices, after = [], ""
    while True:
        slices.append(auditing.audit_slice(connection, after, size))
        if slices[-1].last is None:
            return slices
        after = slices[-1].last


@pytest.mark.parametrize("size", [1, 3, 5, 9, 100])
async def test_every_alert_is_counted_once_whatever_the_size_of_a_slice(ledger: Ledger, size: int) -> None:
    await ledger.record([an_arrival(PAGER) for _ in range(5)])
    await ledger.record([an_arrival(suppressed=Suppression.DROPPED) for _ in range(4)])
    slices = await ledger.ask(lambda connection: in_slices(connection, size))
    assert len(slices) == 9 // size + 1
    balance = auditing.balance_of(slices)
    assert balance == await ledger.ask(auditing.audit_ledger)
    assert (balance["received"], balance["unaccounted"]) == (9, 0)
    assert {state: n for state, n in balance["states"].items() if n} == {"in_flight": 5, "suppressed": 4}
    assert balance["suppressed"] == {"dropped": 4}


async def test_what_comes_between_two_slices_is_no_fault(ledger: Ledger) -> None:
    await ledger.record([an_arrival(PAGER) for _ in range(4)])
    first = await ledger.ask(lambda connection: auditing.audit_slice(connection, "", 3))
    await ledger.record([an_arrival(PAGER) for _ in range(2)])
    assert first.last is not None
    after = first.last
    second = await ledger.ask(lambda connection: auditing.audit_slice(connection, after, 100))
    balance = auditing.balance_of([first, second])
    assert (balance["received"], balance["unaccounted"]) == (6, 0)


async def test_a_fault_in_any_slice_is_found_with_the_alerts_that_have_it(ledger: Ledger) -> None:
    recorded = ids(await ledger.record([an_arrival(PAGER) for _ in range(6)]))

    def corrupt(tx: Transaction, _arguments: object) -> list[None]:
        tx.connection.execute(
            update(alerts).where(alerts.c.id.in_([recorded[1], recorded[5]])).values(state=AlertState.DELIVERED)
        )
        return [None]

    await ledger._writer.run(corrupt, None)  # noqa: SLF001 - what no operation does
    balance = auditing.balance_of(await ledger.ask(lambda connection: in_slices(connection, 2)))
    assert balance["unaccounted"] == 2  # alerts, though each has two faults
    assert {fault["fault"]: fault["examples"] for fault in balance["faults"]} == {
        "settled, but still owed": [recorded[1], recorded[5]],
        "delivered, but nothing was sent": [recorded[1], recorded[5]],
    }


async def test_it_tells_which_of_a_vendors_ids_are_recorded_and_notes_nothing(ledger: Ledger) -> None:
    await ledger.record([an_arrival(alert=an_alert(upstream_id="a"))])
    assert await ledger.recorded(VISION, ["a", "b"]) == {"a"}
    assert await ledger.recorded(VISION, []) == set()
    assert await ledger.whole_until(VISION) is None
