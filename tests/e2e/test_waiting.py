"""What waits for a window, a digest's time or a first one's end, through ``kill -9``."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

from bellwire.demo.receivers.http import Reply
from harness import API, USER, Daemon, eventually, to_pager, unread, upstream_ids

if TYPE_CHECKING:
    from pathlib import Path

    from bellwire.demo.receivers.http import WebhookReceiver
    from bellwire.reference.serve import ReferenceServer


def closed() -> list[dict[str, Any]]:
    """Return a window that never opens."""
    return [{"name": "night", "time_intervals": [{"times": [{"start_time": "00:00", "end_time": "24:00"}]}]}]


def opened() -> list[dict[str, Any]]:
    """Return one that is open now."""
    return [{"name": "night", "time_intervals": [{"years": ["2001"]}]}]


async def received(daemon: Daemon, number: int) -> None:
    """Wait until the ledger has so many alerts."""
    while json.loads((await daemon.command("audit", "--json"))[1])[0]["received"] < number:
        pass


async def audited(daemon: Daemon) -> dict[str, int]:
    balance = json.loads((await daemon.command("audit", "--json"))[1])[0]
    assert balance["unaccounted"] == 0, balance["faults"]
    return {state: number for state, number in balance["states"].items() if number}


async def test_what_is_held_survives_kill_and_goes_out_as_one_digest_when_the_window_opens(
    server: ReferenceServer, pager: WebhookReceiver, tmp_path: Path
) -> None:
    route = {"receiver": "pager", "routes": [{"mute_time_intervals": ["night"], "muted": "hold"}]}
    async with Daemon(tmp_path, to_pager(server, pager, route=route, time_intervals=closed())) as daemon:
        await daemon.streaming()
        items = server.emit(API, USER, [{} for _ in range(3)])
        await received(daemon, 3)
        await daemon.kill()
        await daemon.start()
        await daemon.streaming()
        items += server.emit(API, USER, [{}])
        await received(daemon, 4)
        (waiting,) = json.loads((await daemon.command("deliveries", "--json"))[1])
        assert (waiting["kind"], waiting["state"], waiting["waits_for"]) == ("digest", "pending", "window")
        assert pager.messages == []
        daemon.config["time_intervals"] = opened()
        daemon.write()
        daemon.signal(signal.SIGHUP)
        await eventually(lambda: unread(server) == [])
        (digest,) = pager.messages
        assert (digest.json["kind"], [each["upstream_id"] for each in digest.json["alerts"]]) == ("digest", items)
        assert await audited(daemon) == {"delivered": 4}


async def test_a_digest_survives_kill_and_goes_out_at_its_time(
    server: ReferenceServer, pager: WebhookReceiver, tmp_path: Path
) -> None:
    route = {"receiver": "pager", "digest": "* * * * *"}
    async with Daemon(tmp_path, to_pager(server, pager, route=route)) as daemon:
        await daemon.streaming()
        items = server.emit(API, USER, [{} for _ in range(3)])
        await received(daemon, 3)
        await daemon.kill()
        await daemon.start()
        await daemon.streaming()
        items += server.emit(API, USER, [{}])
        await eventually(lambda: unread(server) == [], 90)
        assert {request.json["kind"] for request in pager.messages} == {"digest"}
        once = {
            request.id: request for request in pager.messages
        }.values()  # what was cut off is sent again under its id
        assert upstream_ids(list(once)) == dict.fromkeys(items, 1)
        assert len(once) <= 2  # a minute may have ended between the two
        assert await audited(daemon) == {"delivered": 4}


async def test_repeats_wait_through_kill_for_what_becomes_of_the_first_one(
    server: ReferenceServer, pager: WebhookReceiver, tmp_path: Path
) -> None:
    pager.otherwise = Reply(status=503)
    route = {"receiver": "pager", "suppress_repeats": "1h", "dedupe_by": ["type"]}
    async with Daemon(tmp_path, to_pager(server, pager, route=route)) as daemon:
        await daemon.streaming()
        server.emit(API, USER, [{} for _ in range(5)])
        await received(daemon, 5)
        await pager.wait_for(1)
        await daemon.kill()
        pager.otherwise = Reply()
        await daemon.start()
        await daemon.streaming()
        while await audited(daemon) != {"delivered": 1, "suppressed": 4}:
            pass
        assert len({request.id for request in pager.messages}) == 1
