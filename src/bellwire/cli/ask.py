"""Who answers a question: the daemon that runs, or the ledger's file where none does.

Either gives the same plain JSON values. The file is only read, which is safe beside a daemon too: so whatever keeps the
daemon from answering (it is down, has no ``web.listen``, or another program has its port), there is an answer.
"""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode

from bellwire.errors import BellwireError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from sqlalchemy import Connection

    from bellwire.config.schema import Config, WebConfig

    A = TypeVar("A")

_TO_CONNECT = 1.0  # seconds; it is this machine
_TO_ANSWER = 30.0  # seconds; an audit of a large ledger takes some
_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not listened on
_STORIES = 20
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_OK, _NOT_FOUND, _AMBIGUOUS = 200, 404, 409

Answer = dict[str, Any]


class Bellwire(Protocol):
    """What may be asked."""

    def alerts(self, limit: int, before: str | None) -> list[Answer]:
        """Return the newest alerts."""
        ...

    def explain(self, reference: str) -> list[Answer]:
        """Return the story of the one alert that is meant, the candidates if it may be several, nothing if there is none."""
        ...

    def deliveries(self, state: str | None, limit: int) -> list[Answer]:
        """Return the newest deliveries."""
        ...

    def audit(self) -> Answer:
        """Return the balance."""
        ...


class NoAnswerError(BellwireError):
    """No daemon answers at ``web.listen``."""


def ask(config: Config, url: str, question: Callable[[Bellwire], A]) -> A:
    """Put ``question`` to the daemon, or else to the ledger at ``url``. Raises `LedgerUnusableError` if neither knows."""
    try:
        return question(Daemon(config.web))
    except NoAnswerError:
        return question(File(url))


class Daemon:
    """The running daemon, through its API."""

    def __init__(self, web: WebConfig) -> None:
        self._web = web

    def alerts(self, limit: int, before: str | None) -> list[Answer]:
        """Return the newest alerts."""
        return self._list("alerts", limit=limit, before=before)

    def explain(self, reference: str) -> list[Answer]:
        """Return the story, or the candidates."""
        status, answer = self._get(f"/api/v1/alerts/{quote(reference, safe='')}")
        if status == _AMBIGUOUS:
            return list(answer["candidates"])
        return [] if status == _NOT_FOUND else [_expected(status, answer)]

    def deliveries(self, state: str | None, limit: int) -> list[Answer]:
        """Return the newest deliveries."""
        return self._list("deliveries", state=state, limit=limit)

    def audit(self) -> Answer:
        """Return the balance."""
        answer: Answer = _expected(*self._get("/api/v1/audit"))
        return answer

    def _list(self, what: str, **parameters: Any) -> list[Answer]:
        given = {name: value for name, value in parameters.items() if value is not None}
        return list(_expected(*self._get(f"/api/v1/{what}?{urlencode(given)}")))

    def _get(self, path: str) -> tuple[int, Any]:
        connection = self._connect()
        try:
            headers = {"Accept": "application/json", "Host": "localhost"}
            if token := self._web.token or self._web.read_token:
                headers["Authorization"] = f"Bearer {token.get_secret_value()}"
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            if response.getheader("Server") != "bellwire":
                raise NoAnswerError("another program has the port of web.listen")  # noqa: EM101, TRY003 - caught by ask
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            msg = f"the daemon does not answer ({type(error).__name__})"
            raise NoAnswerError(msg) from None
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        """Return an open connection to the daemon, by TLS only to the very certificate of the configuration."""
        host, port = self._address()
        tls = self._web.tls_config
        connection = (
            http.client.HTTPSConnection(host, port, timeout=_TO_CONNECT, context=_any_certificate())
            if tls
            else http.client.HTTPConnection(host, port, timeout=_TO_CONNECT)
        )
        try:
            connection.connect()
            genuine = tls is None or _shows(connection.sock, Path(tls.cert_file))
        except OSError as error:
            connection.close()
            msg = f"no daemon listens ({type(error).__name__})"
            raise NoAnswerError(msg) from None
        if not genuine:
            connection.close()
            raise NoAnswerError("another program has the port of web.listen")  # noqa: EM101, TRY003 - caught by ask
        connection.sock.settimeout(_TO_ANSWER)
        return connection

    def _address(self) -> tuple[str, int]:
        host, _, port = self._web.listen.rpartition(":")
        host = host.strip("[]")
        if not port.isdigit() or not int(port):  # none, or one that only the daemon knows
            raise NoAnswerError("web.listen names no fixed port")  # noqa: EM101, TRY003 - caught by ask
        return _EVERYWHERE.get(host, host), int(port)


class File:
    """The ledger's file, opened so that nothing can be written."""

    def __init__(self, url: str) -> None:
        self._url = url

    def alerts(self, limit: int, before: str | None) -> list[Answer]:
        """Return the newest alerts."""
        from bellwire.ledger.reading import recent_alerts  # noqa: PLC0415 - only if no daemon answers

        found: list[Answer] = self._ask(lambda connection: recent_alerts(connection, limit, before))
        return found

    def explain(self, reference: str) -> list[Answer]:
        """Return the story, or the candidates."""
        from bellwire.ledger.reading import explain  # noqa: PLC0415 - as above

        found: list[Answer] = self._ask(lambda connection: explain(connection, reference, _STORIES))
        return found

    def deliveries(self, state: str | None, limit: int) -> list[Answer]:
        """Return the newest deliveries."""
        from bellwire.ledger.reading import list_deliveries  # noqa: PLC0415 - as above
        from bellwire.model import DeliveryState  # noqa: PLC0415 - as above

        wanted = DeliveryState(state) if state else None
        found: list[Answer] = self._ask(lambda connection: list_deliveries(connection, wanted, limit))
        return found

    def audit(self) -> Answer:
        """Return the balance."""
        from bellwire.ledger.auditing import audit_ledger  # noqa: PLC0415 - as above

        balance: Answer = self._ask(audit_ledger)
        return balance

    def _ask(self, question: Callable[[Connection], Any]) -> Any:
        import orjson  # noqa: PLC0415 - as above

        from bellwire.ledger.database import open_for_reading  # noqa: PLC0415 - as above
        from bellwire.ledger.ledger import answer  # noqa: PLC0415 - as above

        engine = open_for_reading(self._url)
        try:
            return orjson.loads(orjson.dumps(answer(engine, question), option=orjson.OPT_UTC_Z))
        finally:
            engine.dispose()


def _expected(status: int, answer: Any) -> Any:
    if status != _OK:  # a changed token, a ledger in trouble: the file still tells
        msg = f"the daemon answers {status}"
        raise NoAnswerError(msg)
    return answer


def _any_certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # it is compared as a whole instead, before anything is said
    context.verify_mode = ssl.CERT_NONE
    return context


def _shows(connection: Any, path: Path) -> bool:
    """Return whether the other side's certificate is the first one in ``path``."""
    text = path.read_text("ascii", "replace")
    start, end = text.find(_BEGIN), text.find(_END)
    ours = ssl.PEM_cert_to_DER_cert(text[start : end + len(_END)])
    shown: bytes = connection.getpeercert(binary_form=True)
    return shown == ours
