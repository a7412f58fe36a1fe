"""Checks of the tests of rules: names, severities, matchers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.config.finding import Finding
from bellwire.config.moment import reckonable
from bellwire.config.nearest import suggestion
from bellwire.config.rule_matchers import compile_matchers
from bellwire.errors import MatcherError
from bellwire.model import Severity, Suppression
from bellwire.routing.matchers import check_silence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bellwire.config.places import Loc
    from bellwire.config.schema import Config, MatcherConfig, RuleTest, SampleAlert
    from bellwire.routing.matchers import Matcher

REASONS = (
    Suppression.DROPPED,
    Suppression.INHIBITED,
    Suppression.SILENCED,
    Suppression.REPEAT,
    Suppression.MUTED,
)
"""Why rules suppress: the other reasons are not theirs."""


def check_tests(config: Config, tests: Sequence[RuleTest]) -> Iterator[Finding]:
    """Yield what is wrong with ``tests`` of ``config``."""
    first: dict[str, int] = {}
    for at, test in enumerate(tests):
        loc: Loc = ("tests", at)
        earlier = first.setdefault(test.name, at)
        if earlier != at:
            yield Finding((*loc, "name"), f"is the name of tests[{earlier}] too: give each test its own")
        yield from _at(test, (*loc, "at"))
        if not test.alerts:
            yield Finding((*loc, "alerts"), "is empty: add an alert")
        for index, alert in enumerate(test.alerts):
            yield from _alert(config, alert, (*loc, "alerts", index))
        for index, silence in enumerate(test.silences):
            yield from _silence(silence.matchers, (*loc, "silences", index, "matchers"))
        yield from _expectation(config, test, (*loc, "expect"))


def _at(test: RuleTest, loc: Loc) -> Iterator[Finding]:
    try:
        if test.at is not None:
            reckonable(test.at)
    except ValueError as error:
        yield Finding(loc, str(error))


def _alert(config: Config, alert: SampleAlert, loc: Loc) -> Iterator[Finding]:
    names = [account.name for account in config.accounts]
    for given, place in (
        (alert.account, (*loc, "account")),
        (alert.labels.get("account"), (*loc, "labels", "account")),
    ):
        if given is not None and given not in names:
            rests_on = (("accounts",), *(("accounts", at, "name") for at in range(len(names))))
            yield Finding(place, f"there is no account {given}: {suggestion(given, names)}", rests_on=rests_on)
    for field in ("title", "message"):
        if field in alert.labels and field in alert.model_fields_set:
            yield Finding((*loc, "labels", field), f"says what {field} of this alert says: keep one of the two")
    severity = alert.labels.get("severity")
    if severity is not None and Severity.of(severity) is None:
        known = ", ".join(one.text for one in Severity)
        yield Finding((*loc, "labels", "severity"), f"{severity!r} is no severity: write one of {known}")


def _silence(entries: Sequence[str | MatcherConfig], loc: Loc) -> Iterator[Finding]:
    matchers: list[Matcher] = []
    unread = False
    for at, entry in enumerate(entries):
        try:
            matchers += compile_matchers([entry])
        except MatcherError as error:
            unread = True
            yield Finding((*loc, at), str(error), error.offset if isinstance(entry, str) else None)
    if not unread:
        try:
            check_silence(matchers)
        except MatcherError as error:
            yield Finding(loc, str(error))


def _expectation(config: Config, test: RuleTest, loc: Loc) -> Iterator[Finding]:
    expected = test.expect
    names = [receiver.name for receiver in config.receivers]
    rests_on = (("receivers",), *(("receivers", at, "name") for at in range(len(names))))
    for key, given in (("receivers", expected.receivers), ("held", expected.held)):
        for at, name in enumerate(given or []):
            if name not in names:
                message = f"there is no receiver {name}: {suggestion(name, names)}"
                yield Finding((*loc, key, at), message, rests_on=rests_on)
    if expected.suppressed is not None and expected.suppressed not in REASONS:
        yield Finding((*loc, "suppressed"), f"is no reason: {suggestion(expected.suppressed, REASONS)}")
    if not expected.model_fields_set:
        known = ", ".join(type(expected).model_fields)
        yield Finding(loc, f"expects nothing, so nothing could fail: say some of {known}")
