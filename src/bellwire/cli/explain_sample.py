"""``bellwire explain -``: what would become of an alert that never came."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bellwire.cli.errors import TO_READ, configured
from bellwire.cli.printing import plain, print_json, say, state
from bellwire.cli.routing_text import outcome, steps, suppressor
from bellwire.config.moment import parse_moment
from bellwire.config.nearest import suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from bellwire.ledger.trying import Overcast
    from bellwire.rehearsal.trial import Trial

    Answer = dict[str, Any]

_FIELDS = ("account", "api", "type", "severity", "title", "message", "upstream_id")
_KNOWN = frozenset({*_FIELDS, "labels", "payload", "received_at"})
_TOLD = frozenset(
    {"id", "url", "created_at", "via", "state", "suppressed", "suppressed_by", "mark_read", "routing", "obligations"}
    | {"deliveries", "read_mark", "events", "inhibited_by", "silenced_by", "ledger"}
)
"""What `--json` prints of an alert beside these: what became of it, and is asked anew here."""


def explain_sample(option: str | None, *, as_json: bool) -> None:
    """Tell it of the JSON on standard input."""
    config, url = configured(option, TO_READ)
    said = _said(sys.stdin.buffer.read())
    from bellwire.clock import SystemClock  # noqa: PLC0415 - a bad configuration is said at once
    from bellwire.config.rules import compile_rules  # noqa: PLC0415
    from bellwire.rehearsal.samples import SampleError, Saying, account_named, sample_of, unknown_account  # noqa: PLC0415
    from bellwire.rehearsal.trial import try_alert  # noqa: PLC0415

    at = _moment(said.get("received_at")) or SystemClock().wall()
    labels = _labels(said)
    if labels.get("account") and account_named(config, labels["account"]) is None:
        click.echo(f"note: {plain(unknown_account(config, labels['account']))}; its labels are those given", err=True)
    try:
        sample = sample_of(config, Saying(labels=labels, payload=said.get("payload")))
    except SampleError as error:
        raise click.UsageError(plain(error)) from None
    ask = _asker(url)
    answer = _answer(try_alert(compile_rules(config), sample.alert(at), at, ask), asked=ask is not None)
    if as_json:
        print_json([answer])
    else:
        _tell(answer)


def _said(text: bytes) -> Mapping[str, Any]:
    from bellwire.apis.reading import loads  # noqa: PLC0415 - commands must start fast

    try:
        said = loads(text)  # as what vendors send
    except ValueError as error:
        message = f"standard input is no JSON: {plain(error)}"
        raise click.UsageError(message) from None
    if isinstance(said, list) and len(said) == 1:
        (said,) = said  # what `--json` prints
    if not isinstance(said, dict):
        message = 'standard input is no alert: write {"labels": {"severity": "error"}, "title": "…"}'
        raise click.UsageError(message)
    if strange := sorted(map(plain, said.keys() - _KNOWN - _TOLD)):
        message = f"{strange[0]}: unknown key: {suggestion(strange[0], _KNOWN)}"
        raise click.UsageError(message)
    return said


def _labels(said: Mapping[str, Any]) -> dict[str, str]:
    from bellwire.apis.reading import labels_of  # noqa: PLC0415 - as above

    labels = said.get("labels") or {}
    if not isinstance(labels, dict):
        message = "labels must be a mapping of texts"
        raise click.UsageError(message)
    fields = {name: said[name] for name in _FIELDS if said.get(name) is not None}
    return labels_of(**labels | fields)


def _moment(text: object) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_moment(str(text))
    except ValueError as error:
        message = f"received_at: {plain(text)} {error}"
        raise click.UsageError(message) from None


def _asker(url: str) -> Callable[[Callable[[Connection], Overcast]], Overcast] | None:
    """Return the way to the ledger's file, None if there is none that can be read."""
    if not Path(url.removeprefix("sqlite:///")).exists():
        return None
    from bellwire.errors import LedgerError  # noqa: PLC0415 - only where there is a ledger
    from bellwire.ledger.database import open_for_reading  # noqa: PLC0415
    from bellwire.ledger.ledger import answer  # noqa: PLC0415

    def ask(question: Callable[[Connection], Overcast]) -> Overcast:
        engine = open_for_reading(url)
        try:
            return answer(engine, question)
        finally:
            engine.dispose()

    try:
        open_for_reading(url).dispose()
    except LedgerError as error:
        click.echo(f"note: silences and shadows are not looked at: {plain(error)}", err=True)
        return None
    return ask


def _answer(trial: Trial, *, asked: bool) -> Answer:
    alert, decision = trial.alert, trial.decision
    repeats = trial.overcast.repeats or {}
    return {
        "title": alert.title,
        "severity": alert.severity.text,
        "type": alert.type,
        "account": alert.account,
        "api": alert.api,
        "labels": dict(alert.labels),
        "routing": {
            "suppressed": decision.suppressed,
            "errors": list(decision.errors),
            "steps": [
                {"route": one.route, "matched": one.matched, "receiver": one.receiver}
                | {"failed": one.failed, "saw": one.saw, "note": one.note}
                for one in decision.steps
            ],
            "destinations": [
                {
                    "receiver": each.receiver,
                    "route": each.route,
                    "group_key": each.group_key,
                    "group_labels": dict(each.group_labels),
                    "digest": each.digest or None,
                    "standing": stands.passage.value,
                    "until": stands.until.isoformat().replace("+00:00", "Z") if stands.until else None,
                    "why": stands.why or None,
                    "repeats": repeats.get(each.receiver),
                }
                for each, stands in zip(decision.destinations, trial.standings, strict=True)
            ],
        },
        "inhibited_by": trial.overcast.inhibited,
        "silenced_by": trial.overcast.silenced,
        "ledger": asked,
    }


def _tell(answer: Answer) -> None:
    say(click.style(plain(answer["title"]), bold=True))
    say(f"  {state(answer['severity'])}, an alert that never came")
    labels = "  ".join(f"{name}={plain(value)}" for name, value in sorted(answer["labels"].items()) if value)
    if labels:
        say(f"  {labels}")
    say()
    say(click.style("Routing", bold=True))
    for line in (*steps(answer["routing"]), *outcome(answer["routing"])):
        say(f"  {line}")
    for each in answer["routing"]["destinations"]:
        if each["repeats"]:
            say(f"  {plain(each['receiver'])}: {suppressor('kept back as a repeat', each['repeats'])}")
    say()
    say(click.style("Silences and inhibition", bold=True))
    found = [suppressor("inhibited", answer["inhibited_by"]), suppressor("silenced", answer["silenced_by"])]
    for line in filter(None, found):
        say(f"  {click.style(line, fg='yellow')}")
    if not any(found):
        say("  nothing stands in its way" if answer["ledger"] else "  there is no ledger to ask")
