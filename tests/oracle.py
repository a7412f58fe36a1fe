"""Knows every item that was emitted and every moment in which an answer could get lost, and says what must come of it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from harness import API, USER, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bellwire.demo.receivers.http import Request, WebhookReceiver
    from bellwire.demo.receivers.slack import SlackApi
    from bellwire.reference.serve import ReferenceServer
    from harness import Daemon

VIEWS = 5
"""In so many groups alerts come, where the configuration groups them."""

_HEARD = timedelta(seconds=10)
"""So long after an answer was given it is heard and written, on a machine that does much else; or never."""

_ON_ITS_WAY = timedelta(seconds=1)
"""So long after its sender's death a request may still reach its receiver, on such a machine."""

_DROPPED = 10  # every tenth item is one that nobody wants


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A time in which an answer that was given may not have been heard: by anybody, or from one receiver."""

    begins: datetime
    ends: datetime
    receiver: str | None

    def explains(self, receiver: str, first: Request, second: Request) -> bool:
        unheard = self.begins - _HEARD <= first.at <= self.ends + _ON_ITS_WAY
        return self.receiver in (None, receiver) and unheard and self.begins <= second.at


@dataclass(kw_only=True)
class Oracle:
    """What was emitted at one vendor, and the receivers by name. All get every alert, by webhook."""

    server: ReferenceServer
    receivers: dict[str, WebhookReceiver]
    slack: SlackApi | None = None  # it can be asked: it must have everything once
    wanted: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    unheard: set[tuple[str, str]] = field(default_factory=set)  # deliveries and attempts whose answer came too late
    deaths: int = 0  # alerts that are known to have died, and rightly
    _taken: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _read: Counter[str] = field(default_factory=Counter)  # requests of each receiver that are counted there

    def emit(self, count: int) -> None:
        """Let new items come, each tenth one that no rule forwards."""
        total = len(self.wanted) + len(self.dropped)
        given: list[dict[str, Any]] = [
            {"metadata": {"is_alert": n % _DROPPED != 0, "view_name": f"view {n % VIEWS}"}}
            for n in range(total, total + count)
        ]
        for item, made in zip(given, self.server.emit(API, USER, given), strict=True):
            (self.wanted if item["metadata"]["is_alert"] else self.dropped).append(made)

    @contextlib.contextmanager
    def cut(self, receiver: str | None = None) -> Iterator[None]:
        """Remember that answers may get lost for as long as this lasts."""
        begins = datetime.now(UTC)
        try:
            yield
        finally:
            self.cuts.append(Cut(begins=begins, ends=datetime.now(UTC), receiver=receiver))

    async def settled(self, daemon: Daemon, seconds: float = 60.0) -> None:
        """Wait until all has arrived and is marked, then hold everything that must be true at the end."""
        with contextlib.suppress(TimeoutError):
            await eventually(lambda: not self.missing() and not self._unmarked(), seconds)
        assert self.missing() == {}
        unmarked = self._unmarked()
        assert unmarked == [], f"{len(unmarked)} of {len(self.wanted)} are not marked"
        self.unheard = timed_out(daemon)
        self.check()
        code, out, err = await daemon.command("audit", "--json")
        (balance,) = json.loads(out)
        alive = len(self.wanted) - self.deaths
        states = {"in_flight": 0, "delivered": alive, "suppressed": len(self.dropped), "dead": self.deaths}
        assert (balance["unaccounted"], balance["states"], err) == (0, states, "")
        assert [check["missing"] for check in balance["vendors"]] == [0]
        assert code == 0

    def missing(self) -> dict[str, list[str]]:
        """Return what each receiver has not taken."""
        found = {}
        for name, receiver in self.receivers.items():
            for request in receiver.messages[self._read[name] :]:
                if request.status == 200:
                    self._taken[name].update(alert["upstream_id"] for alert in request.json["alerts"])
            self._read[name] = len(receiver.messages)
            found[name] = [item for item in self.wanted if item not in self._taken[name]]
        if self.slack is not None:
            found["slack"] = self.wanted[len(self.slack.messages) :]  # Slack is told titles, not ids
        return {name: items for name, items in found.items() if items}

    def taken_by_any(self) -> set[str]:
        """Return what at least one webhook receiver has taken."""
        self.missing()
        return set().union(*self._taken.values())

    def _unmarked(self) -> list[str]:
        unread = {item.id for item in self.server.items(API, USER) if item.read_at is None}
        return [item for item in self.wanted if item in unread]

    def check(self) -> None:
        """Hold what must be true at every moment."""
        for name, receiver in self.receivers.items():
            self._check_repeats(name, receiver)
            _check_order(receiver)
        if self.slack is not None:
            repeated = Counter(message.delivery_id for message in self.slack.messages)
            assert set(repeated.values()) <= {1}, repeated.most_common(3)
        marks = {item.id: item.marks for item in self.server.items(API, USER)}
        assert [item for item in self.dropped if marks[item]] == [], "nobody asked for these to be marked"
        if not self.cuts:
            assert {marks[item] for item in self.wanted} <= {0, 1}
        assert not [entry for entry in self.server.log.entries() if "read-all" in entry.path]

    def _check_repeats(self, name: str, receiver: WebhookReceiver) -> None:
        requests: dict[str, list[Request]] = defaultdict(list)
        ids: dict[str, set[str]] = defaultdict(set)
        for request in receiver.messages:
            requests[request.id].append(request)
            for alert in request.json["alerts"]:
                ids[alert["upstream_id"]].add(request.id)
        assert set(ids) <= set(self.wanted), "nobody asked for these"
        assert [item for item, found in ids.items() if len(found) > 1] == [], "a repeat bears the id of the first"
        for same in requests.values():
            for first, second in pairwise(same):
                assert first.body == second.body
                explained = (
                    first.status != 200
                    or (first.id, first.headers["bellwire-attempt"]) in self.unheard
                    or any(cut.explains(name, first, second) for cut in self.cuts)
                )
                assert explained, f"{name} took {first.id} at {first.at} and was sent it again at {second.at}"


def timed_out(daemon: Daemon) -> set[tuple[str, str]]:
    """Return the attempts after which the daemon wrote down, before it sent again, that no answer had come in time.

    Time-outs are short here: on a machine that does much else an answer that was given at once may be too late.
    """
    path = daemon.config["storage"]["url"].removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as ledger:
        late = "SELECT delivery_id, n FROM attempts WHERE outcome = 'in_doubt' AND reason = 'timeout'"
        return {(delivery, str(number)) for delivery, number in ledger.execute(late)}


def _check_order(receiver: WebhookReceiver) -> None:
    """Within a group what came first is sent first; a message waits until the one before it was taken."""
    newest: dict[str, str] = {}
    seen: set[str] = set()
    for request in receiver.messages:
        group = request.json["group_key"]
        if not group or request.id in seen:
            continue
        seen.add(request.id)
        ids = [alert["id"] for alert in request.json["alerts"]]
        assert ids == sorted(ids)
        assert newest.get(group, "") < ids[0], f"out of order in {group}"
        newest[group] = ids[-1]
