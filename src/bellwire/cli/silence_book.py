"""The silences, in the daemon that runs or in the ledger's file where none does.

The file is written only under its lock: a daemon that runs and does not answer is never written behind its back.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode

from bellwire.cli.ask import Daemon, NoAnswerError, refusal
from bellwire.cli.person import on_file
from bellwire.errors import BellwireError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime
    from typing import TypeVar

    from bellwire.config.schema import Config
    from bellwire.ledger.ledger import Ledger
    from bellwire.records import NewSilence

    A = TypeVar("A")

Answer = dict[str, Any]

_PATH = "/api/v1/silences"
_OK, _CREATED, _NOT_FOUND = 200, 201, 404


class SilenceBook(Protocol):
    """What may be done with silences."""

    def every(self, ended: int, before: str | None) -> list[Answer]:
        """Return all that stand and the last ``ended`` that do no more; ``before`` an id: only of those, the earlier."""
        ...

    def add(self, silence: NewSilence) -> str:
        """Add it; return its id."""
        ...

    def expire(self, silence_id: str, who: str) -> str:
        """End it now; return ``expired``, ``ended_before`` or ``unknown``."""
        ...


def with_silences(config: Config, url: str, work: Callable[[SilenceBook], A]) -> A:
    """Do ``work`` with the daemon's silences, or else with those of the ledger at ``url``. Raises `BellwireError`."""
    try:
        return work(_DaemonBook(Daemon(config.web)))
    except NoAnswerError as error:
        return work(_FileBook(url, str(error)))


class _DaemonBook:
    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def every(self, ended: int, before: str | None) -> list[Answer]:
        """Return all that stand and the last ``ended`` that do no more; ``before`` an id: only of those, the earlier."""
        asked = {"limit": ended} | ({"before": before} if before else {})
        return list(_expected(_OK, *self._daemon.get(f"{_PATH}?{urlencode(asked)}")))

    def add(self, silence: NewSilence) -> str:
        """Add it; return its id."""
        body = {
            "matchers": list(silence.matchers),
            "starts_at": silence.starts_at.isoformat(),
            "ends_at": silence.ends_at.isoformat(),
            "author": silence.author,
            "comment": silence.comment,
        }
        return str(_expected(_CREATED, *self._daemon.post(_PATH, body))["id"])

    def expire(self, silence_id: str, who: str) -> str:
        """End it now; return what there was to end."""
        path = f"{_PATH}/{quote(silence_id, safe='')}?{urlencode({'who': who})}"
        status, answer = self._daemon.delete(path)
        return "unknown" if status == _NOT_FOUND else str(_expected(_OK, status, answer)["outcome"])


class _FileBook:
    def __init__(self, url: str, why: str) -> None:
        self._url = url
        self._why = why

    def every(self, ended: int, before: str | None) -> list[Answer]:
        """Return all that stand and the last ``ended`` that do no more; ``before`` an id: only of those, the earlier."""
        import orjson  # noqa: PLC0415 - only if no daemon answers

        from bellwire.clock import SystemClock  # noqa: PLC0415 - as above
        from bellwire.ledger.database import open_for_reading  # noqa: PLC0415 - as above
        from bellwire.ledger.silences import list_silences  # noqa: PLC0415 - as above

        engine = open_for_reading(self._url)
        try:
            with engine.connect() as connection:
                found = list_silences(connection, SystemClock().wall(), ended, before)
        finally:
            engine.dispose()
        return list(orjson.loads(orjson.dumps(found, option=orjson.OPT_UTC_Z)))

    def add(self, silence: NewSilence) -> str:
        """Add it; return its id."""
        return self._write(lambda ledger: ledger.silences.add(replace(silence, how=on_file())))

    def expire(self, silence_id: str, who: str) -> str:
        """End it now; return what there was to end."""
        return self._write(lambda ledger: ledger.silences.expire(silence_id, who, on_file())).value

    def _write(self, work: Callable[[Ledger], Awaitable[A]]) -> A:
        from bellwire.clock import SystemClock  # noqa: PLC0415 - as above
        from bellwire.errors import LedgerInUseError  # noqa: PLC0415 - as above
        from bellwire.ledger.database import open_for_reading  # noqa: PLC0415 - as above
        from bellwire.ledger.ledger import Ledger  # noqa: PLC0415 - as above

        def clock(last: datetime | None) -> SystemClock:
            return SystemClock(not_before=last)

        async def write() -> A:
            ledger = await Ledger.open(self._url, clock)
            try:
                return await work(ledger)
            finally:
                await ledger.close()

        open_for_reading(self._url).dispose()  # there is one: a slip of the address must not make another
        try:
            return asyncio.run(write())
        except LedgerInUseError as error:
            msg = f"a daemon has the ledger, and cannot be asked: {self._why}"
            raise BellwireError(msg) from error


def _expected(wanted: int, status: int, answer: Any) -> Any:
    if status != wanted:
        why = refusal(answer)
        msg = f"the daemon answers {status}: {why}" if why else f"the daemon answers {status}"
        raise BellwireError(msg)
    return answer
