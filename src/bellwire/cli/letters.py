"""Orders about dead letters: carried out by the daemon that runs, or on the ledger's file where none does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from bellwire.cli.errors import TO_ASK, configured
from bellwire.cli.person import login, on_file
from bellwire.cli.printing import channel, fail, plain, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bellwire.config.schema import Config
    from bellwire.records import LetterOrder

Answer = dict[str, Any]

_OK, _REFUSED, _NO_ORDER = 200, frozenset({400, 403, 404, 409}), 422


def carry_out(option: str | None, action: str, asked: Answer) -> Iterator[Answer]:
    """Have ``action`` (replay, abandon) done; yield each part's answer. Exits 1 if it cannot be, 2 if it is none, with nothing done."""
    config, url = configured(option, TO_ASK)
    part: str | None = None
    while True:
        answer = _one_part(config, url, action, asked | {"by": login()} | ({"next": part} if part else {}))
        yield answer
        part = answer["next"]
        if part is None:
            return


def told(letter: Answer) -> str:
    """Return a line about a delivery: what it was, and what stands for it now."""
    number = letter["alerts"]
    alerts = f", {number} {'alert' if number == 1 else 'alerts'}" if number else ""
    reason = f", {plain(letter['reason'])}" if letter["reason"] else ""
    line = f"{letter['id']}  {channel(letter)}{alerts}{reason}"
    return "\n".join([line, *(f"  -> {channel(each)}  {each['id'] or ''}".rstrip() for each in letter["replays"])])


def counted(number: int) -> str:
    """Return so many deliveries in words."""
    return f"{number:,} {'delivery' if number == 1 else 'deliveries'}"


def summed(done: str, would: str, answers: list[Answer], *, dry: bool) -> None:
    """Say what was done, or would be, delivery by delivery, and its sum."""
    letters = [letter for answer in answers for letter in answer["deliveries"]]
    for letter in letters:
        say(told(letter))
    alerts = sum(answer["alerts"] for answer in answers)
    say(f"{would if dry else done} {counted(len(letters))} with {alerts:,} {'alert' if alerts == 1 else 'alerts'}")


def _one_part(config: Config, url: str, action: str, asked: Answer) -> Answer:
    from bellwire.cli.ask import Daemon, NoAnswerError, refusal  # noqa: PLC0415 - commands must start fast
    from bellwire.errors import BellwireError  # noqa: PLC0415

    try:
        status, answer = Daemon(config.web).post(f"/api/v1/deliveries/{action}", asked)
    except NoAnswerError:
        status, answer = 0, None
    if status == _OK:
        return dict(answer)
    if status == _NO_ORDER:
        raise click.UsageError(plain(refusal(answer)))
    if status in _REFUSED:
        fail(plain(answer["detail"]))
    try:
        found = asyncio.run(_on_file(config, url, action, asked))
    except BellwireError as error:
        fail(str(error))
    if found["misnamed"]:
        raise click.UsageError(plain("; ".join(found["misnamed"])))
    if problems := found["unknown"] + found["refused"]:
        fail(plain("; ".join(problems)))
    return found


async def _on_file(config: Config, url: str, action: str, asked: Answer) -> Answer:
    from bellwire.assembly import policies_of  # noqa: PLC0415 - only if no daemon answers
    from bellwire.clock import SystemClock  # noqa: PLC0415
    from bellwire.errors import LedgerUnusableError  # noqa: PLC0415
    from bellwire.ledger.database import sqlite_path  # noqa: PLC0415
    from bellwire.ledger.ledger import Ledger  # noqa: PLC0415
    from bellwire.ledger.letters import answer_of  # noqa: PLC0415

    path = sqlite_path(url)
    if not path.exists():
        msg = f"{path}: there is no ledger yet: `bellwire run` makes one"
        raise LedgerUnusableError(msg)
    ledger = await Ledger.open(url, lambda last: SystemClock(not_before=last))
    try:
        order = order_of(asked)
        letters = ledger.letters
        done = letters.replay(order, policies_of(config)) if action == "replay" else letters.abandon(order)
        return answer_of(await done)
    finally:
        await ledger.close()


def order_of(asked: Answer) -> LetterOrder:
    """Return the order that the API would have been asked for."""
    from bellwire.config.moment import parse_reach  # noqa: PLC0415 - as above
    from bellwire.records import LetterOrder  # noqa: PLC0415

    after, _, until = asked.get("next", "").partition(".")
    since = asked.get("since")
    return LetterOrder(
        deliveries=tuple(asked["deliveries"]) or None if "deliveries" in asked else None,
        receiver=asked.get("receiver"),
        since=None if since is None else parse_reach(since).total_seconds(),
        after=after,
        until=until or None,
        to=asked.get("to"),
        who=asked["by"],
        how=on_file(),
        dry=asked["dry_run"],
    )
