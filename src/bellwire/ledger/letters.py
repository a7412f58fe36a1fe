"""Dead letters as people handle them: what they order, and what they are told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bellwire.ledger import replaying

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bellwire.ledger.writer import Writer
    from bellwire.model import ChannelKey
    from bellwire.records import ChannelPolicy, Letter, LetterOrder, Letters

Answer = dict[str, Any]


class DeadLetters:
    """Replays and abandons what is dead: an order at a time, of all dead ones a part of at most 200."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def replay(self, order: LetterOrder, receivers: Mapping[str, tuple[ChannelPolicy, ...]]) -> Letters:
        """Send again what the order names: to its own channel, or to that of ``receivers`` which the order names."""
        return await self._writer.run(replaying.replay_letters, (order, receivers))

    async def abandon(self, order: LetterOrder) -> Letters:
        """Give up what the order names."""
        return await self._writer.run(replaying.abandon_letters, order)


def answer_of(letters: Letters) -> Answer:
    """Return what came of an order as plain values.

    ``deliveries``, each with ``id receiver channel name reason alerts`` (a number) and ``replays`` (``id``, None where
    nothing was done, ``receiver channel name alerts``); ``alerts``, a number, each counted once; ``skipped``; ``next``,
    what names the order's next part, None at its end; ``misnamed`` (a receiver), ``unknown`` and ``refused``, sentences.
    """
    return {
        "deliveries": [_letter(letter) for letter in letters.letters],
        "alerts": len({alert_id for letter in letters.letters for alert_id in letter.alerts}),
        "skipped": letters.skipped,
        "next": None if letters.after is None else f"{letters.after}.{letters.until}",
        "misnamed": list(letters.misnamed),
        "unknown": list(letters.unknown),
        "refused": list(letters.refused),
    }


def deliveries_in(detail: Any) -> list[str]:
    """Return the deliveries that an event of an alert names: that it was replayed from one to others, or given up."""
    if not isinstance(detail, dict) or not isinstance(detail.get("delivery"), str):
        return []
    return [detail["delivery"], *detail.get("replays", [])]


def _letter(letter: Letter) -> Answer:
    replays = [_channel(each.key) | {"id": each.id or None, "alerts": each.alerts} for each in letter.replays]
    about = {"id": letter.id, "reason": letter.reason or None, "alerts": len(letter.alerts), "replays": replays}
    return _channel(letter.key) | about


def _channel(key: ChannelKey) -> Answer:
    return {"receiver": key.receiver, "channel": key.kind, "name": key.name}
