"""``bellwire audit`` holds the ledger against the vendors' own lists, with and without a daemon."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bellwire.reference.faults import Unauthorized
from harness import API, USER, Daemon, an_account, to_pager

if TYPE_CHECKING:
    from pathlib import Path

    from bellwire.demo.receivers.http import WebhookReceiver
    from bellwire.reference.serve import ReferenceServer


async def audited(daemon: Daemon, *options: str) -> tuple[int, dict[str, Any]]:
    code, out, err = await daemon.command("audit", "--json", *options)
    assert err == ""
    (balance,) = json.loads(out)
    return code, balance


async def test_it_asks_the_vendor_through_the_daemon_or_by_itself(
    server: ReferenceServer, pager: WebhookReceiver, tmp_path: Path
) -> None:
    accounts = [an_account(server, mark_read="never")]
    async with Daemon(tmp_path, to_pager(server, pager, accounts=accounts)) as daemon:
        await daemon.streaming()
        server.emit(API, USER, [{} for _ in range(250)])
        await pager.wait_for(250)
        code, balance = await audited(daemon)
        expected = {"account": "vision", "unread": 250, "coming": 0, "missing": 0, "examples": [], "error": None}
        assert (code, balance["vendors"]) == (0, [expected])
        assert (await audited(daemon, "--ledger-only"))[1]["vendors"] == []
        server.context.faults.add(Unauthorized(lasts=600))
        code, balance = await audited(daemon)
        (check,) = balance["vendors"]
        assert (code, check["missing"]) == (0, 0)
        assert "401" in check["error"]
        server.context.faults.remove()
        await daemon.terminate()

        # What comes while nothing runs will be caught up; what is older than that has been missed.
        new, *_ = server.emit(API, USER, [{}])
        code, balance = await audited(daemon)
        (check,) = balance["vendors"]
        assert (code, check["unread"], check["coming"], check["missing"]) == (0, 251, 1, 0)
        old = (datetime.now(UTC) - timedelta(hours=1)).replace(tzinfo=None).isoformat()
        (missed,) = server.emit(API, USER, [{"created_at": old}])
        code, balance = await audited(daemon)
        (check,) = balance["vendors"]
        assert (code, check["coming"], check["missing"], check["examples"]) == (1, 1, 1, [missed])
        code, out, _ = await daemon.command("audit")
        assert code == 1
        assert f"  missing here{1:>24}\n    {missed}\n" in out
        assert new not in out


async def test_the_scheduled_audit_shows_in_the_metrics(
    server: ReferenceServer, pager: WebhookReceiver, tmp_path: Path
) -> None:
    async with Daemon(tmp_path, to_pager(server, pager)) as daemon:
        await daemon.streaming()
        server.emit(API, USER, [{}])
        await pager.wait_for(1)
        assert "bellwire_unaccounted_alerts 0.0\n" in (await daemon.get("/metrics"))[1]
