"""Statements that the driver runs itself do what SQLAlchemy would have had it do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import bindparam, func, select

from bellwire.ledger.database import Database, open_database
from bellwire.ledger.prepared import KEYS, Insertion, Prepared
from bellwire.ledger.tables import alert_contents, deliveries, totals
from bellwire.ledger.types import Instant
from bellwire.model import DeliveryKind, DeliveryState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path}/ledger.db")
    yield opened
    opened.close()


def a_delivery(number: int, **values: Any) -> dict[str, Any]:
    usual = {
        "id": f"{number:026d}",
        "channel_id": 1,
        "kind": DeliveryKind.ALERT,
        "state": DeliveryState.PENDING,
        "group_key": "",
        "group_labels": {"städte": ["Köln", 1, None]},
        "group_interval": 1.5,
        "head": True,
        "open": False,
        "part": 1,
        "parts": 1,
        "due_at": NOW + timedelta(microseconds=number),
        "attempts": 0,
        "doubtful": False,
        "created_at": NOW,
        "first_attempt_at": None,
    }
    return usual | values


def test_any_number_of_rows_is_written_and_read_with_the_columns_own_types(database: Database) -> None:
    rows = [a_delivery(number) for number in range(1, 1400)]
    by_id = Prepared(select(deliveries).where(deliveries.c.id.in_(KEYS)).order_by(deliveries.c.id))
    with database.writer.begin() as connection:
        assert Insertion(deliveries).run(connection, rows) == len(rows)
        found = by_id.all(connection, keys=[row["id"] for row in rows])
        expected = connection.execute(select(deliveries).order_by(deliveries.c.id)).all()
    assert [tuple(row) for row in found] == [tuple(row) for row in expected]
    assert found[7].due_at == NOW + timedelta(microseconds=8)
    assert (found[7].kind, found[7].head, found[7].group_labels) == (
        DeliveryKind.ALERT,
        True,
        {"städte": ["Köln", 1, None]},
    )


def test_all_of_many_keys_are_changed_and_no_others(database: Database) -> None:
    with database.writer.begin() as connection:
        Insertion(deliveries).run(connection, [a_delivery(number) for number in range(1, 1101)])
        change = Prepared(
            deliveries.update()
            .where(deliveries.c.id.in_(KEYS), deliveries.c.state.in_([DeliveryState.PENDING, DeliveryState.SENDING]))
            .values(
                state=bindparam("to_state"),
                attempts=deliveries.c.attempts + 1,
                first_attempt_at=func.coalesce(deliveries.c.first_attempt_at, bindparam("at", type_=Instant)),
            )
        )
        ids = [f"{number:026d}" for number in range(1, 1001)]
        for _ in range(2):  # the second time nothing is in a state that fits
            change.run(connection, {"to_state": DeliveryState.SENT, "at": NOW}, keys=ids)
        query = select(deliveries.c.state, deliveries.c.attempts, deliveries.c.first_attempt_at, func.count())
        counted = connection.execute(query.group_by(deliveries.c.state)).all()
    assert sorted(map(tuple, counted)) == [
        (DeliveryState.PENDING, 0, None, 100),
        (DeliveryState.SENT, 1, NOW, 1000),
    ]


def test_no_keys_and_no_rows_are_no_statement(database: Database) -> None:
    with database.writer.begin() as connection:
        assert Insertion(totals).run(connection, []) == 0
        assert Prepared(select(deliveries.c.id).where(deliveries.c.id.in_(KEYS))).all(connection, keys=[]) == []


def test_what_is_there_already_can_be_added_to_or_left(database: Database) -> None:
    add = Insertion(totals, "ON CONFLICT (name) DO UPDATE SET number = totals.number + excluded.number")
    leave = Insertion(totals, "ON CONFLICT DO NOTHING")
    every = Prepared(select(totals).order_by(totals.c.name))
    with database.writer.begin() as connection:
        add.run(connection, [{"name": "a", "number": 2}, {"name": "b", "number": -1}])
        add.run(connection, [{"name": "a", "number": 3}])
        assert leave.run(connection, [{"name": "a", "number": 7}, {"name": "c", "number": 1}]) == 1
        assert [tuple(row) for row in every.all(connection)] == [("a", 5), ("b", -1), ("c", 1)]
        assert every.first(connection).name == "a"


def test_bytes_go_in_and_out_as_they_are(database: Database) -> None:
    row = {"alert_id": "1", "message": "m", "payload": b"\x00\xff{}", "decision": b""}
    with database.writer.begin() as connection:
        Insertion(alert_contents).run(connection, [row])
        (found,) = Prepared(select(alert_contents)).all(connection)
    assert found._asdict() == row


def test_a_value_that_is_missing_is_an_error(database: Database) -> None:
    wanting = Prepared(select(deliveries.c.id).where(deliveries.c.channel_id == bindparam("channel")))
    with database.writer.begin() as connection, pytest.raises(KeyError, match="channel"):
        wanting.all(connection)
