"""One test of the rules, played: its alerts and silences in their order of time, and what could be seen at its end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bellwire.config.rule_matchers import compile_matchers
from bellwire.ledger.reading import list_deliveries
from bellwire.ledger.trying import reasons
from bellwire.model import DeliveryState
from bellwire.records import NewSilence
from bellwire.rehearsal.samples import Saying, sample_of
from bellwire.routing.rules import route

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bellwire.config.schema import Config, RuleTest, SampleSilence
    from bellwire.rehearsal.samples import Sample
    from bellwire.rehearsal.stage import Sent, Stage, Theatre
    from bellwire.routing.rules import Rules

NOON = datetime(2026, 3, 11, 12)  # noqa: DTZ001 - a Wednesday, by the zone of the configuration: without `at`
_MOST_HELD = 1000
_WAITING = frozenset({"window", "digest"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What a test saw. ``titles`` and ``texts`` are of each message that was sent, by its channel; ``errors`` of rules too."""

    receivers: frozenset[str]
    held: frozenset[str]
    suppressed: frozenset[str]
    groups: Sequence[Mapping[str, str]]
    titles: Sequence[tuple[str, str]]
    texts: Sequence[tuple[str, str]]
    errors: Sequence[str]


async def play(theatre: Theatre, test: RuleTest) -> Seen:
    """Play ``test``. Raises `BellwireError` if it cannot be played to its end."""
    at, samples = start_of(theatre.config, test), _samples(theatre.config, test)
    async with theatre.stage(at) as stage:
        for silence in test.silences:
            await stage.ledger.silences.add(_silence(silence, at))
        for after, sample in samples:
            await stage.advance(at + after)
            await stage.arrive(sample)
        await stage.advance(max([at + test.run_for, *_ends(theatre.rulebook.rules, at, samples)]))
        return await _look(stage, _errors(theatre.rulebook.rules, at, samples))


def start_of(config: Config, test: RuleTest) -> datetime:
    """Return when the test begins; a time without an offset is by the zone of the configuration."""
    at = test.at or NOON
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(config.global_.timezone))).astimezone(UTC)


def _samples(config: Config, test: RuleTest) -> list[tuple[timedelta, Sample]]:
    made = []
    for number, given in enumerate(test.alerts, 1):
        labels = dict(given.labels) if given.account is None else {**given.labels, "account": given.account}
        saying = Saying(labels=labels, title=given.title, message=given.message, payload=given.payload)
        made.append((given.after, sample_of(config, replace(saying, upstream_id=f"sample-{number}"))))
    return sorted(made, key=lambda each: each[0])


def _silence(silence: SampleSilence, at: datetime) -> NewSilence:
    starts_at = at + silence.after
    return NewSilence(
        matchers=tuple(str(one) for one in compile_matchers(silence.matchers)),
        starts_at=starts_at,
        ends_at=starts_at + silence.duration,
        author="test",
        comment="",
    )


def _ends(rules: Rules, at: datetime, samples: Sequence[tuple[timedelta, Sample]]) -> list[datetime]:
    """Return when what goes out at once has gone out: each alert's time, and the `group_wait` of where it goes."""
    return [
        moment + timedelta(seconds=max((each.wait for each in destinations), default=0.0))
        for after, sample in samples
        for moment in [at + after]
        for destinations in [route(sample.alert(moment), rules)[1].destinations]
    ]


def _errors(rules: Rules, at: datetime, samples: Sequence[tuple[timedelta, Sample]]) -> list[str]:
    return [error for after, sample in samples for error in route(sample.alert(at + after), rules)[1].errors]


async def _look(stage: Stage, errors: list[str]) -> Seen:
    pending = await stage.ledger.ask(lambda connection: list_deliveries(connection, DeliveryState.PENDING, _MOST_HELD))
    groups = {each.message.group_key: each.message.group_labels for each in stage.sent if each.message.group_key}
    return Seen(
        receivers=frozenset(each.key.receiver for each in stage.sent),
        held=frozenset(each["receiver"] for each in pending if each["waits_for"] in _WAITING),
        suppressed=frozenset(await stage.ledger.ask(reasons)),
        groups=list(groups.values()),
        titles=[(str(each.key), each.title) for each in stage.sent],
        texts=[(str(each.key), each.text) for each in stage.sent],
        errors=[*errors, *(_failed(each) for each in stage.sent if each.error)],
    )


def _failed(sent: Sent) -> str:
    return f"{sent.key}: {sent.error}"
