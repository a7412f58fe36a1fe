"""An audit over HTTP waits for no vendor that cannot be asked, and holds up no other audit."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from bellwire.model import Page, SourceState
from bellwire.sources.report import SourceStatus
from bellwire.view import DaemonView

if TYPE_CHECKING:
    from collections.abc import Sequence

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOON = 5.0  # seconds, far less than a list may take


class HeldInbox:
    """An inbox whose list is answered once ``answered`` is set."""

    hindrance: str | None = None

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.answered = asyncio.Event()

    async def page(self, cursor: str | None = None) -> Page:
        self.asked.set()
        await self.answered.wait()
        return Page(items=(), next_cursor=cursor)


class EmptyLedger:
    clock = SimpleNamespace(wall=lambda: NOON)
    silences = None

    async def recorded(self, _key: object, _ids: Sequence[str]) -> set[str]:
        return set()

    async def whole_until(self, _key: object) -> datetime:
        return NOON


class EmptyAuditor:
    async def audit(self) -> dict[str, Any]:
        return {"received": 0}


def a_view(*accounts: tuple[str, SourceState, HeldInbox | None]) -> DaemonView:
    """Return the view of a daemon with these accounts; one without an inbox is paused."""
    watched, inboxes = [], []
    for name, state, inbox in accounts:
        account = SimpleNamespace(name=name, base_url=f"https://{name}", paused=inbox is None)
        status = SourceStatus(
            state=state, since=NOON, last_item_at=None, last_error="GET /list: 401", reconnects=0, missed=0
        )
        watched.append((account, SimpleNamespace(status=status)))
        if inbox is not None:
            inboxes.append((account, inbox))
    upkeep = SimpleNamespace(auditor=EmptyAuditor())
    daemon: Any = SimpleNamespace(watched=watched, inboxes=inboxes, upkeep=upkeep)
    ledger: Any = EmptyLedger()
    return DaemonView(daemon, ledger)


async def test_an_audit_that_waits_for_a_vendor_holds_up_no_other() -> None:
    slow = HeldInbox()
    view = a_view(("vision", SourceState.STREAMING, slow))
    waiting = asyncio.create_task(view.audit(vendors=True))
    await slow.asked.wait()
    async with asyncio.timeout(SOON):
        assert await view.audit() == {"received": 0, "vendors": []}
    slow.answered.set()
    assert [each["error"] for each in (await waiting)["vendors"]] == [None]


async def test_who_cannot_be_asked_is_named_at_once_with_the_reason() -> None:
    held = HeldInbox()
    view = a_view(
        ("refused", SourceState.UNAUTHORIZED, held),
        ("down", SourceState.BACKING_OFF, held),
        ("resting", SourceState.STOPPED, None),
    )
    async with asyncio.timeout(SOON):
        found = (await view.audit(vendors=True))["vendors"]
    assert {each["account"]: each["error"] for each in found} == {
        "refused": "it was not asked: it is unauthorized: GET /list: 401",
        "down": "it was not asked: it is backing off: GET /list: 401",
        "resting": "it was not asked: it is paused",
    }
    assert not held.asked.is_set()


async def test_all_others_are_asked_at_the_same_time() -> None:
    first, second = HeldInbox(), HeldInbox()
    view = a_view(("a", SourceState.STREAMING, first), ("b", SourceState.POLLING, second))
    waiting = asyncio.create_task(view.audit(vendors=True))
    async with asyncio.timeout(SOON):
        await first.asked.wait()
        await second.asked.wait()
    first.answered.set()
    second.answered.set()
    assert [each["account"] for each in (await waiting)["vendors"]] == ["a", "b"]
