"""The first arrow: from a source into the ledger. Each notification becomes an alert, is routed, and is durable at once."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bellwire.model import Alert, Decision, MarkPolicy, Suppression, Via
from bellwire.records import Arrival
from bellwire.routing.inhibition import casts, falls_under
from bellwire.routing.rules import route

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bellwire.metrics import Metrics
    from bellwire.model import AccountKey, ChannelKey, Notification
    from bellwire.ports import Clock, IntakeLedger
    from bellwire.routing.rules import Rules

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class CatchUp:
    """What becomes of missed notifications: ``all`` | ``digest`` | ``none``, and how old one may be (0: any age)."""

    policy: str = "all"
    first_start: str = "digest"
    max_age: timedelta = timedelta(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mailbox:
    """What intake must know of an account."""

    api: str
    labels: Mapping[str, str] = field(default_factory=dict)
    mark: MarkPolicy = MarkPolicy.DELIVERED
    catch_up: CatchUp = CatchUp()
    read_state: frozenset[str] = frozenset()  # keys of an item that say only whether it was read or answered


@dataclass(frozen=True, kw_only=True, slots=True)
class Rulebook:
    """The rules in force, and the channels behind each receiver's name."""

    rules: Rules
    channels: Mapping[str, tuple[ChannelKey, ...]]


class Intake:
    """Implements `bellwire.ports.Intake`."""

    def __init__(
        self,
        ledger: IntakeLedger,
        clock: Clock,
        metrics: Metrics,
        rulebook: Rulebook,
        mailboxes: Mapping[AccountKey, Mailbox],
        *,
        show: bool = False,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._metrics = metrics
        self._rulebook = rulebook
        self._mailboxes = mailboxes
        self._level = logging.INFO if show else logging.DEBUG  # of the line that each alert gets

    def change(self, rulebook: Rulebook, mailboxes: Mapping[AccountKey, Mailbox]) -> None:
        """Route by these from the next notification on. What is recorded stays as it was decided."""
        self._rulebook = rulebook
        self._mailboxes = mailboxes

    async def receive(
        self,
        account: AccountKey,
        found: Sequence[Notification],
        via: Via,
        labels: Mapping[str, str] | None = None,
        *,
        first_start: bool = False,
    ) -> int:
        """Record what is new, durably, and return how many were."""
        known: list[Notification] = []
        new = 0
        if via is not Via.STREAM and found:
            # Lists bring the same items again and again: leave out what is known before any work is done for it.
            recorded = await self._ledger.known(account, [each.upstream_id for each in found])
            known = [each for each in found if each.upstream_id in recorded]
            found = [each for each in found if each.upstream_id not in recorded]
        if found:
            arrivals = self._arrivals(account, found, via, labels or {}, first_start=first_start)
            ids = await self._ledger.record(arrivals)
            new = self._count(account, via, arrivals, ids)
            if new < len(found):
                known += [each for each, alert_id in zip(found, ids, strict=True) if alert_id is None]
        if known:  # last: what is new has not waited for it
            await self._ledger.changes.compare(account, known, via, self._mailboxes[account].read_state)
        return new

    def _arrivals(
        self,
        account: AccountKey,
        found: Sequence[Notification],
        via: Via,
        labels: Mapping[str, str],
        *,
        first_start: bool,
    ) -> list[Arrival]:
        """Return the alerts and what the rules say of them, all by the same rules."""
        now, mailbox, rulebook = self._clock.now(), self._mailboxes[account], self._rulebook
        arrivals = []
        for notification in found:
            rules = rulebook.rules
            alert, decision = route(alert_of(notification, account, mailbox, labels, now), rules)
            cast, raised_casting = casts(rules.inhibit_rules, alert)
            under, raised_falling = falls_under(rules.inhibit_rules, alert)
            if raised := dict.fromkeys((*raised_casting, *raised_falling)):
                decision = replace(decision, errors=(*decision.errors, *raised))
            digest = False
            if via is Via.CATCH_UP and decision.destinations:
                decision, digest = _catch_up(decision, alert, mailbox.catch_up, now, first_start=first_start)
            arrivals.append(
                Arrival(
                    account=account,
                    alert=alert,
                    decision=decision,
                    channels=tuple(rulebook.channels[each.receiver] for each in decision.destinations),
                    mark=mailbox.mark,
                    markable=notification.markable,
                    via=via,
                    digest=digest,
                    casts=cast,
                    under=under,
                )
            )
        return arrivals

    async def caught_up(self, account: AccountKey) -> None:
        """Let what waits for the end of a catch-up go out: also what an earlier run gathered, under whatever policy."""
        await self._ledger.release_digest(account)

    def _count(self, account: AccountKey, via: Via, arrivals: Sequence[Arrival], ids: Sequence[str | None]) -> int:
        new = [(arrival, alert_id) for arrival, alert_id in zip(arrivals, ids, strict=True) if alert_id is not None]
        told = log.is_enabled_for(self._level)
        for arrival, alert_id in new:
            decision = arrival.decision
            if decision.suppressed is not None:
                self._metrics.suppressed.labels(reason=decision.suppressed.value).inc()
            if decision.errors:
                self._metrics.rule_errors.inc(len(decision.errors))
                log.error("rule_failed", alert=alert_id, account=account.name, errors=decision.errors)
            if told:
                log.log(
                    self._level,
                    "alert_routed",
                    alert=alert_id,
                    account=account.name,
                    title=arrival.alert.title,
                    receivers=[each.receiver for each in decision.destinations],
                    suppressed=decision.suppressed,
                )
        if new:
            newest = new[-1][0].alert
            lag = (newest.received_at - newest.created_at).total_seconds()
            self._metrics.accounts.count_received(account.name, via, len(new), max(0.0, lag))
        return len(new)


def alert_of(
    notification: Notification, account: AccountKey, mailbox: Mailbox, labels: Mapping[str, str], now: datetime
) -> Alert:
    """Return the notification in Bellwire's own form. ``labels`` win over the vendor's and the account's."""
    severity = notification.severity
    standard = {
        "account": account.name,
        "api": mailbox.api,
        "type": notification.type,
        "severity": severity.text,
    }
    every = {**notification.labels, **mailbox.labels, **labels, **standard}
    return Alert(
        account=account.name,
        api=mailbox.api,
        upstream_id=notification.upstream_id,
        type=clean(notification.type),
        severity=severity,
        title=clean(notification.title),
        message=clean(notification.message),
        url=clean(notification.url) if notification.url else None,
        created_at=notification.created_at or now,
        received_at=now,
        labels={clean(name): clean(value) for name, value in every.items()},
        payload=notification.payload,
    )


def clean(text: str) -> str:
    """Return ``text`` with what no database or receiver can hold (NUL, halves of surrogate pairs) replaced."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _catch_up(
    decision: Decision, alert: Alert, catch_up: CatchUp, now: datetime, *, first_start: bool
) -> tuple[Decision, bool]:
    """Return the decision as the catch-up policy leaves it, and whether the alert waits for a digest."""
    policy = catch_up.first_start if first_start else catch_up.policy
    too_old = bool(catch_up.max_age) and now - alert.created_at > catch_up.max_age
    if policy == "none" or too_old:
        reason = Suppression.BEFORE_FIRST_START if first_start else Suppression.CATCH_UP
        return replace(decision, destinations=(), suppressed=reason), False
    return decision, policy == "digest"
