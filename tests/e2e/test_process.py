"""The daemon as a process: how it starts, refuses to, and ends."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from bellwire.demo.receivers.http import Reply, WebhookReceiver
from harness import API, USER, TrueDaemon, an_account, eventually, to_pager, unread, upstream_ids
from ledger_lock import locked

if TYPE_CHECKING:
    from pathlib import Path

    from bellwire.reference.serve import ReferenceServer


async def test_sigterm_ends_it_within_ten_seconds_though_a_receiver_hangs(
    server: ReferenceServer, pager: WebhookReceiver, tmp_path: Path
) -> None:
    never = asyncio.Event()
    pager.otherwise = Reply(until=never)
    async with TrueDaemon(tmp_path, to_pager(server, pager)) as daemon:
        await daemon.streaming()
        (item,) = server.emit(API, USER, [{}])
        await pager.wait_for(1)
        async with asyncio.timeout(10):
            assert await daemon.terminate() == 0
        assert unread(server) == [item]
        # What was cut off is in doubt: it is sent again, under the same id.
        pager.otherwise = Reply()
        await daemon.start()
        first, second = (await pager.wait_for(2))[:2]
        assert (first.id, first.body) == (second.id, second.body)
        assert (first.headers["bellwire-attempt"], second.headers["bellwire-attempt"]) == ("1", "2")
        await eventually(lambda: unread(server) == [])
    never.set()


async def test_a_broken_configuration_starts_nothing(server: ReferenceServer, tmp_path: Path) -> None:
    config = {"accounts": [an_account(server, base_urll="x")], "route": {"receiver": "nobody"}, "receivers": []}
    daemon = TrueDaemon(tmp_path, config)
    await daemon.start()
    assert await daemon.exit_code() == 78
    faults = daemon.output.decode().splitlines()
    assert len(faults) >= 2
    assert all(fault.startswith(f"{daemon.path}:1:") for fault in faults)
    assert any("accounts[0].base_urll: unknown key, did you mean base_url?" in fault for fault in faults)
    assert not (tmp_path / "ledger.db").exists()
    assert server.log.entries() == []


async def test_a_second_daemon_on_the_same_ledger_is_refused(
    server: ReferenceServer, pager: WebhookReceiver, tmp_path: Path
) -> None:
    async with TrueDaemon(tmp_path, to_pager(server, pager)) as first:
        await first.started()
        second = TrueDaemon(tmp_path, to_pager(server, pager))
        await second.start()
        assert await second.exit_code() == 1
        assert "another process has this ledger open" in second.output.decode()


async def test_an_address_in_use_is_said_plainly(
    server: ReferenceServer, pager: WebhookReceiver, tmp_path: Path
) -> None:
    daemon = TrueDaemon(tmp_path, to_pager(server, pager, web={"listen": f"127.0.0.1:{pager.port}"}))
    await daemon.start()
    assert await daemon.exit_code() == 1
    assert f"web.listen: cannot listen on 127.0.0.1:{pager.port}" in daemon.output.decode()


async def test_a_ledger_that_is_none_is_refused_and_left_as_it_is(
    server: ReferenceServer, pager: WebhookReceiver, tmp_path: Path
) -> None:
    (tmp_path / "ledger.db").write_bytes(b"this is no database" * 100)
    daemon = TrueDaemon(tmp_path, to_pager(server, pager))
    await daemon.start()
    assert await daemon.exit_code() == 1
    assert "the ledger cannot be used" in daemon.output.decode()
    assert (tmp_path / "ledger.db").read_bytes() == b"this is no database" * 100


async def test_a_dry_run_shows_what_it_would_do_and_does_nothing(
    server: ReferenceServer, pager: WebhookReceiver, tmp_path: Path
) -> None:
    waiting, *_ = server.emit(API, USER, [{}, {"metadata": {"is_alert": True, "view_name": "Doors"}}])
    daemon = TrueDaemon(tmp_path, to_pager(server, pager))
    await daemon.start("--dry-run")
    try:
        await daemon.streaming()
        server.emit(API, USER, [{}])
        await daemon.wait_for_log(lambda line: line.get("event") == "alert_routed" and line["receivers"] == ["pager"])
        await daemon.logged.wait_until(lambda lines: sum(line.get("event") == "alert_routed" for line in lines) == 3)
        assert await daemon.terminate() == 0
    finally:
        await daemon.kill()
    assert pager.messages == []
    assert len(unread(server)) == 3
    assert waiting in unread(server)
    assert not (tmp_path / "ledger.db").exists()


async def test_a_paused_receiver_keeps_what_waits_for_it(
    server: ReferenceServer, pager: WebhookReceiver, tmp_path: Path
) -> None:
    config = to_pager(server, pager)
    config["receivers"][0]["paused"] = True
    async with TrueDaemon(tmp_path, config) as daemon:
        await daemon.streaming()
        emitted = server.emit(API, USER, [{}, {}])
        await daemon.wait_for_log(lambda line: line.get("event") == "started")
        while json.loads((await daemon.command("audit", "--json"))[1])[0]["received"] < 2:
            pass
        await daemon.terminate()
        assert pager.messages == []
        config["receivers"][0]["paused"] = False
        daemon.config |= config
        daemon.write()
        await daemon.start()
        await pager.wait_for(2)
        assert set(upstream_ids(pager.messages)) == set(emitted)


async def test_a_ledger_that_cannot_write_stops_everything_but_loses_nothing(
    server: ReferenceServer, pager: WebhookReceiver, tmp_path: Path
) -> None:
    async with TrueDaemon(tmp_path, to_pager(server, pager)) as daemon:
        await daemon.streaming()
        with locked(tmp_path):
            emitted = server.emit(API, USER, [{} for _ in range(20)])
            await daemon.wait_for_log(lambda line: line.get("event") == "ledger_cannot_write")
            status, reasons = await daemon.get("/-/ready")
            assert status == 503
            assert "the ledger cannot write" in reasons
            assert pager.messages == []
        await eventually(lambda: unread(server) == [])
        assert upstream_ids(pager.messages) == dict.fromkeys(emitted, 1)


async def test_sigterm_ends_it_though_the_ledger_cannot_write(
    server: ReferenceServer, pager: WebhookReceiver, tmp_path: Path
) -> None:
    async with TrueDaemon(tmp_path, to_pager(server, pager)) as daemon:
        await daemon.streaming()
        with locked(tmp_path):
            server.emit(API, USER, [{}])
            await daemon.wait_for_log(lambda line: line.get("event") == "ledger_cannot_write")
            async with asyncio.timeout(10):
                assert await daemon.terminate() == 0


async def test_a_locked_ledger_is_refused_at_the_start(
    server: ReferenceServer, pager: WebhookReceiver, tmp_path: Path
) -> None:
    async with TrueDaemon(tmp_path, to_pager(server, pager)) as daemon:
        await daemon.streaming()
        await daemon.terminate()
        with locked(tmp_path):
            await daemon.start()
            assert await daemon.exit_code() == 1
        assert "database is locked" in daemon.output.decode()
        await daemon.start()
        await daemon.streaming()
