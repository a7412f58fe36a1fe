"""Who answers a question: the daemon that runs, or the ledger's file where none does.

Either gives the same plain JSON values. The file is only read, which is safe beside a daemon too: so whatever keeps the
daemon from answering (it is down, has no ``web.listen``, or another program has its port), there is an answer.
"""

from __future__ import annotations

import http.client
import json
import re
import secrets
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode

from bellwire.errors import BellwireError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from typing import TypeVar

    from sqlalchemy import Connection

    from bellwire.config.schema import Config, WebConfig

    A = TypeVar("A")

_TO_CONNECT = 1.0  # seconds; it is this machine
_TO_ANSWER = 30.0  # seconds
_TO_AUDIT = 360.0  # seconds: it reads all of the ledger, and vendors' lists
_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not listened on
_TO_SEARCH = 60.0  # seconds
_STORIES = 20
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_OK, _NOT_FOUND, _AMBIGUOUS = 200, 404, 409
_ANOTHER = "another program has the port of web.listen"
_MORE = re.compile(r'<(/api/[^<>\s]*)>; rel="next"')
_LONGEST_PROOF = 4096  # bytes of an answer that is no Bellwire's

Answer = dict[str, Any]


class Bellwire(Protocol):
    """What may be asked."""

    def alerts(self, wanted: Wanted) -> list[Answer]:
        """Return the newest alerts that are like this."""
        ...

    def explain(self, reference: str) -> list[Answer]:
        """Return the story of the one alert that is meant, the candidates if it may be several, nothing if there is none."""
        ...

    def deliveries(self, state: str | None, limit: int) -> list[Answer]:
        """Return the newest deliveries."""
        ...

    def audit(self, *, vendors: bool) -> Answer:
        """Return the balance; ``vendors``: held against each vendor's list of unread notifications, too."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which alerts are asked for. ``matchers`` are texts that can be read."""

    limit: int
    before: str | None = None
    matchers: tuple[str, ...] = ()
    state: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class NoAnswerError(BellwireError):
    """No daemon answers at ``web.listen``."""


def ask(config: Config, url: str, question: Callable[[Bellwire], A]) -> A:
    """Put ``question`` to the daemon, or else to the ledger at ``url``. Raises `LedgerUnusableError` if neither knows."""
    try:
        return question(Daemon(config.web))
    except NoAnswerError:
        return question(File(config, url))


class Daemon:
    """The running daemon, through its API."""

    def __init__(self, web: WebConfig) -> None:
        self._web = web
        self.more: str | None = None
        """Where the last answer says that there is more; None if that was all."""

    def alerts(self, wanted: Wanted) -> list[Answer]:
        """Return the newest alerts that are like this, however far back they are."""
        times = {name: at.isoformat() for name in ("since", "until") if (at := getattr(wanted, name))}
        asked: dict[str, Any] = {"match": wanted.matchers, "state": wanted.state, "limit": wanted.limit} | times
        found = self._list("alerts", **asked, before=wanted.before)
        while self.more and len(found) < wanted.limit:  # it had looked for long enough, not to the end
            path = self.more
            found += _expected(*self._get(path))
        return found[: wanted.limit]

    def explain(self, reference: str) -> list[Answer]:
        """Return the story, or the candidates."""
        status, answer = self._get(f"/api/v1/alerts/{quote(reference, safe='')}")
        if status == _AMBIGUOUS:
            return list(answer["candidates"])
        return [] if status == _NOT_FOUND else [_expected(status, answer)]

    def deliveries(self, state: str | None, limit: int) -> list[Answer]:
        """Return the newest deliveries."""
        return self._list("deliveries", state=state, limit=limit)

    def audit(self, *, vendors: bool) -> Answer:
        """Return the balance."""
        path = f"/api/v1/audit?vendors={str(vendors).lower()}"
        answer: Answer = _expected(*self._get(path, _TO_AUDIT))
        return answer

    def post(self, path: str, body: Answer) -> tuple[int, Any]:
        """Ask for a change; return the status and the answer. Raises `NoAnswerError`, which may be after the change."""
        return self._call("POST", path, _TO_ANSWER, json.dumps(body))

    def get(self, path: str) -> tuple[int, Any]:
        """Return the status and the answer. Raises `NoAnswerError`."""
        return self._get(path)

    def delete(self, path: str) -> tuple[int, Any]:
        """Ask that something be ended; return the status and the answer. Raises `NoAnswerError`, as `post` does."""
        return self._call("DELETE", path, _TO_ANSWER, None)

    def _list(self, what: str, **parameters: Any) -> list[Answer]:
        given = {name: value for name, value in parameters.items() if value is not None}
        return list(_expected(*self._get(f"/api/v1/{what}?{urlencode(given, doseq=True)}")))

    def _get(self, path: str, patience: float = _TO_ANSWER) -> tuple[int, Any]:
        return self._call("GET", path, patience, None)

    def _call(self, method: str, path: str, patience: float, body: str | None) -> tuple[int, Any]:
        connection = self._connect()
        try:
            headers = {"Accept": "application/json", "Host": "localhost"}
            if body is not None:
                headers["Content-Type"] = "application/json"
            if token := self._web.token or self._web.read_token:
                if self._web.tls_config is None:  # else its certificate has proved the same
                    _demand_proof(connection, token.get_secret_value())
                headers["Authorization"] = f"Bearer {token.get_secret_value()}"
            connection.sock.settimeout(patience)
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            if response.getheader("Server") != "bellwire":
                raise NoAnswerError(_ANOTHER)
            link = _MORE.match(response.getheader("Link", ""))
            self.more = link[1] if link else None
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
            raise NoAnswerError(_ANOTHER)
        connection.sock.settimeout(_TO_ANSWER)
        connection.auto_open = 0  # a connection that was lost is not made anew: another may answer there by then
        return connection

    def _address(self) -> tuple[str, int]:
        host, _, port = self._web.listen.rpartition(":")
        host = host.strip("[]")
        if not port.isdigit() or not int(port):  # none, or one that only the daemon knows
            raise NoAnswerError("web.listen names no fixed port")  # noqa: EM101, TRY003 - caught by ask
        return _EVERYWHERE.get(host, host), int(port)


class File:
    """The ledger's file, opened so that nothing can be written."""

    def __init__(self, config: Config, url: str) -> None:
        self._config = config
        self._url = url

    def alerts(self, wanted: Wanted) -> list[Answer]:
        """Return the newest alerts that are like this."""
        from bellwire.ledger.searching import Search, search_alerts  # noqa: PLC0415 - only if no daemon answers
        from bellwire.model import AlertState  # noqa: PLC0415 - as above
        from bellwire.routing.matcher_parser import parse_matchers  # noqa: PLC0415 - as above

        search = Search(
            matchers=tuple(one for text in wanted.matchers for one in parse_matchers(text)),
            state=AlertState(wanted.state) if wanted.state else None,
            since=wanted.since,
            until=wanted.until,
            before=wanted.before,
            limit=wanted.limit,
        )
        found: list[Answer] = self._ask(lambda connection: search_alerts(connection, search, _TO_SEARCH)["alerts"])
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

    def audit(self, *, vendors: bool) -> Answer:
        """Return the balance."""
        from bellwire.ledger.auditing import audit_ledger  # noqa: PLC0415 - as above

        balance: Answer = self._ask(audit_ledger)
        if not vendors:
            return balance | {"vendors": []}
        from bellwire.cli.vendors import check_vendors  # noqa: PLC0415 - as above

        return balance | {"vendors": check_vendors(self._config, self._url)}

    def _ask(self, question: Callable[[Connection], Any]) -> Any:
        import orjson  # noqa: PLC0415 - as above

        from bellwire.ledger.database import open_for_reading  # noqa: PLC0415 - as above
        from bellwire.ledger.ledger import answer  # noqa: PLC0415 - as above

        engine = open_for_reading(self._url)
        try:
            return orjson.loads(orjson.dumps(answer(engine, question), option=orjson.OPT_UTC_Z))
        finally:
            engine.dispose()


def refusal(answer: Any) -> str:
    """Return why the daemon refused: its words, or each fault with the way to it; empty if it does not say."""
    detail = answer.get("detail", "") if isinstance(answer, dict) else ""
    if isinstance(detail, str):
        return detail
    return "; ".join(f"{'.'.join(map(str, each['loc'][1:])) or 'the order'}: {each['msg']}" for each in detail)


def _demand_proof(connection: http.client.HTTPConnection, token: str) -> None:
    """Have the other side show that it knows ``token``, before this connection tells it. Raises `NoAnswerError`."""
    from bellwire.web.proof import HEADER, PATH, is_proof, proof  # noqa: PLC0415 - only where a token is told

    challenge = secrets.token_hex(32)
    connection.request("GET", PATH, headers={"Host": "localhost", HEADER: challenge})
    client, server = connection.sock.getsockname(), connection.sock.getpeername()
    given = connection.getresponse().read(_LONGEST_PROOF).decode("ascii", "replace").split()
    expected = proof(token, challenge, client[:2], server[:2])
    hung_up = connection.sock is None
    if hung_up or not any(is_proof(each, expected) for each in given):
        raise NoAnswerError(_ANOTHER)


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
