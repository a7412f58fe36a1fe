"""What the pages cost: how long they take over a full ledger, and what somebody who watches costs the daemon.

    python benchmarks/pages.py    ALERTS=1000000 ACCOUNTS=1000 SECONDS=30 are the ledger's size, the accounts, the watch

A ledger of that many alerts is made in a temporary folder (half a gigabyte), over a month, one in a thousand of them dead.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import _machine
import aiohttp
import uvloop
from _bellwire import configuration
from _figures import shown, table
from _vendor import vending
from idle_accounts import quiet

from bellwire.ledger.database import open_database
from bellwire.ledger.ids import Ids

if TYPE_CHECKING:
    from collections.abc import Iterator

ALERTS = int(os.environ.get("ALERTS", "1000000"))
ACCOUNTS = int(os.environ.get("ACCOUNTS", "1000"))
SECONDS = float(os.environ.get("SECONDS", "30"))
ROUNDS = int(os.environ.get("ROUNDS", "7"))
WATCHES = int(os.environ.get("WATCHES", "5"))
PORT = 9597
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COLUMNS = (
    "id",
    "account_id",
    "upstream_id",
    "api",
    "type",
    "severity",
    "title",
    "url",
    "created_at",
    "received_at",
    "labels",
    "via",
    "mark",
    "markable",
    "state",
    "suppression",
    "settled_at",
)

SEARCHES = {
    "overview": "/",
    "alerts": "/alerts",
    "accounts": "/accounts",
    "deliveries": "/deliveries",
    "silences": "/silences",
    "routes": "/routes",
    "account, severity, a day": "/api/v1/alerts?"
    + urlencode({"match": 'account="account7",severity="error"', "since": "1d"}),
    "type (rare)": "/api/v1/alerts?" + urlencode({"match": 'type="rare"'}),
    "account, dead": "/api/v1/alerts?" + urlencode({"match": 'account="account7"', "state": "dead"}),
    "severity, suppressed": "/api/v1/alerts?" + urlencode({"match": 'severity="error"', "state": "suppressed"}),
    "host (no index, rare)": "/api/v1/alerts?" + urlencode({"match": 'host="h77"'}),
    "title (no index, none)": "/api/v1/alerts?" + urlencode({"match": 'title="nothing is called so"'}),
}


async def main() -> None:
    _machine.stay_on_our_core()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with vending() as (vendor, address):
            base_url = f"{address}/visual_layer"
            each = {"api": "visual_layer", "base_url": base_url, "authorization": {"credentials": "t"}}
            accounts = [each | {"name": f"account{number}"} for number in range(ACCOUNTS)]
            path = folder / "bellwire.yaml"
            settings = configuration(folder, "http://127.0.0.1:9/", accounts)
            settings |= {"global": {"log_level": "warning"}, "web": {"listen": f"127.0.0.1:{PORT}"}}
            seed(folder / "seeded.db", base_url)
            settings["storage"] = {"url": f"sqlite:///{folder}/seeded.db", "retention": "365d"}
            path.write_text(json.dumps(settings))
            command = (sys.executable, "-m", "bellwire", "run", "--config", str(path))
            async with _machine.program(command, folder / "log") as process, aiohttp.ClientSession() as session:
                keeping = asyncio.create_task(vendor.keep_alive(20.0))
                async with asyncio.timeout(300):
                    while len(vendor.streams) < ACCOUNTS:
                        await asyncio.sleep(0.1)
                await quiet(process.pid)
                rows = [(what, *await timed(session, path)) for what, path in SEARCHES.items()]
                print(f"{ALERTS:,} alerts, {ACCOUNTS:,} accounts; milliseconds of {ROUNDS} rounds\n")
                print(table(("page or search", "median", "slowest", "found"), rows))
                looks = [await watched(session, process.pid) for _ in range(WATCHES)]
                alone = statistics.median(without for without, _ in looks)
                costs = sorted(seen - without for without, seen in looks)
                every = ", ".join(f"{cost:.2f}" for cost in costs)
                print(
                    f"\none who watches the overview: {statistics.median(costs):.2f} % of a core ({alone:.2f} % without)"
                )
                print(f"of {WATCHES} times {SECONDS:.0f} s without and with: {every}")
                keeping.cancel()


async def timed(session: aiohttp.ClientSession, path: str) -> tuple[str, str, str]:
    took, found = [], 0
    for _ in range(ROUNDS):
        began = time.perf_counter()
        async with session.get(f"http://127.0.0.1:{PORT}{path}") as answer:
            body = await answer.read()
            assert answer.status == 200, (answer.status, body[:500])
        took.append((time.perf_counter() - began) * 1000)
        found = len(json.loads(body)) if path.startswith("/api") else 0
        await asyncio.sleep(1.1)  # nobody else has looked for a second: it is asked anew
    return shown(statistics.median(took)), shown(max(took)), shown(found) if path.startswith("/api") else "-"


async def watched(session: aiohttp.ClientSession, pid: int) -> tuple[float, float]:
    """Return what the daemon uses while nobody watches, and right after it while one does: in between its own work varies."""
    alone = await used(pid)
    async with session.get(f"http://127.0.0.1:{PORT}/live/") as stream:
        watching = asyncio.create_task(_read(stream))
        await asyncio.sleep(2)
        seen = await used(pid)
        watching.cancel()
    return alone, seen


async def used(pid: int) -> float:
    """Return what the process uses of a core, in percent."""
    before = _machine.cpu_seconds(pid)
    await asyncio.sleep(SECONDS)
    return (_machine.cpu_seconds(pid) - before) / SECONDS * 100


async def _read(stream: aiohttp.ClientResponse) -> None:
    async for _ in stream.content.iter_any():
        pass


def seed(path: Path, base_url: str) -> None:
    """Fill a new ledger with settled alerts."""
    open_database(f"sqlite:///{path}").close()
    connection = sqlite3.connect(path)
    connection.execute("pragma synchronous=OFF")
    names = [(number + 1, f"account{number}", base_url) for number in range(ACCOUNTS)]
    connection.executemany("insert into accounts(id, name, base_url) values(?, ?, ?)", names)
    marks = ",".join("?" * len(COLUMNS))
    connection.executemany(f"insert into alerts({','.join(COLUMNS)}) values({marks})", rows())
    totals = [("alerts.received", ALERTS), ("alerts.delivered", ALERTS)]
    connection.executemany("insert or replace into totals(name, number) values(?, ?)", totals)
    connection.commit()
    connection.close()


def rows() -> Iterator[tuple[object, ...]]:
    chance, ids = random.Random(1), Ids()  # noqa: S311 - the same ledger each time
    step = timedelta(days=30) / ALERTS
    at = datetime.now(UTC) - timedelta(days=30)
    severities = ["info", "warning", "error", "critical"]
    for number in range(ALERTS):
        at += step
        account, severity = chance.randrange(ACCOUNTS), chance.choices((1, 2, 3, 4), (60, 30, 9, 1))[0]
        state = chance.choices(("delivered", "suppressed", "dead"), (949, 50, 1))[0]
        kind = "rare" if chance.random() < 0.0001 else chance.choice(("alert", "notification", "flow"))
        microseconds = (at - EPOCH) // timedelta(microseconds=1)
        labels = {"account": f"account{account}", "type": kind, "severity": severities[severity - 1]}
        labels["host"] = f"h{chance.randrange(100_000)}"
        yield (
            *(ids.next(at), account + 1, f"u{number}", "visual_layer", kind, severity, f"title {number}", None),
            *(microseconds, microseconds, json.dumps(labels, separators=(",", ":")), "stream", "delivered", 1),
            *(state, "dropped" if state == "suppressed" else None, microseconds),
        )


if __name__ == "__main__":
    uvloop.run(main())
