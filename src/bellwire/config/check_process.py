"""Checks of what holds for the whole process: time zone, storage, web, durations, TLS files."""

from __future__ import annotations

import ssl
import zoneinfo
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bellwire.config import values
from bellwire.config.files import FileError, read_bytes
from bellwire.config.finding import Finding
from bellwire.config.nearest import suggestion
from bellwire.config.schema import HttpConfig, Section, TlsConfig, WebTlsConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bellwire.config.places import Loc
    from bellwire.config.schema import Config, StorageConfig, WebConfig

_SQLITE = "sqlite:///"
# all other durations must be longer than nothing
_MAY_BE_ZERO = {
    ("RouteConfig", "group_wait"),
    ("RouteConfig", "group_interval"),
    ("RouteConfig", "suppress_repeats"),
    ("AccountConfig", "alert_when_silent"),
    ("CatchUpConfig", "max_age"),
    ("RateLimitConfig", "max_delay"),
    ("SampleAlert", "after"),
    ("SampleSilence", "after"),
    ("RuleTest", "run_for"),
}
_LARGEST = 16 * 1024 * 1024  # bytes: some eighty times the system's own list of CAs
_LONGEST = timedelta(days=36_500)  # times are added to these, and must stay within the calendar


def check_process(config: Config) -> Iterator[Finding]:
    """Yield what is wrong with what is not an account's, a route's or a receiver's own."""
    yield from _timezone(config.global_.timezone)
    yield from _storage(config.storage)
    yield from _web(config.web)
    yield from check_durations(config)


def check_durations(config: Config) -> Iterator[Finding]:
    """Yield what is wrong with durations and TLS files, wherever they stand."""
    yield from _sections(config, ())


def _timezone(name: str) -> Iterator[Finding]:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        nearest = suggestion(name, zoneinfo.available_timezones())
        hint = nearest if nearest.endswith("?") else "write one such as Europe/Paris"
        yield Finding(("global", "timezone"), f"there is no such time zone: {hint}")


def _storage(storage: StorageConfig) -> Iterator[Finding]:
    url = storage.url.get_secret_value() if storage.url else None
    if url is None:
        return
    if url.startswith("postgres"):
        yield Finding(("storage", "url"), "PostgreSQL is not supported by this version yet; write sqlite:///FILE")
    elif not url.startswith(_SQLITE) or url.removeprefix(_SQLITE) in {"", ":memory:"}:
        yield Finding(("storage", "url"), "must be sqlite:///FILE, or sqlite:////FILE for a path from the root")


def _web(web: WebConfig) -> Iterator[Finding]:
    if web.listen:
        target = values.host_port(web.listen, lowest=0)
        if target is None:
            yield Finding(("web", "listen"), 'must be HOST:PORT, such as 127.0.0.1:9095, or "" for none')
        elif not values.is_loopback(target[0]) and web.token is None:
            message = "can be reached by other machines, so token_file must be set: add it, or listen on 127.0.0.1"
            yield Finding(("web", "listen"), message, rests_on=(("web", "token"),))
    problem = values.http_url(web.external_url, bare=True) if web.external_url is not None else None
    if problem:
        yield Finding(("web", "external_url"), problem)
    for name, token in (("token", web.token), ("read_token", web.read_token)):
        problem = values.bearer(token.get_secret_value()) if token is not None else None
        if problem:
            yield Finding(("web", name), problem)


def _sections(section: Section, loc: Loc) -> Iterator[Finding]:
    """Yield what is wrong in this section and all within it, whatever it belongs to."""
    if isinstance(section, HttpConfig) and section.proxy_url:
        problem = values.http_url(section.proxy_url.get_secret_value())
        if problem:
            yield Finding((*loc, "proxy_url"), problem)
    if isinstance(section, TlsConfig | WebTlsConfig):
        yield from _tls(section, loc)
    for name in sorted(section.model_fields_set):
        key = type(section).model_fields[name].alias or name
        yield from _value(section, name, getattr(section, name), (*loc, key))


def _value(section: Section, name: str, value: Any, loc: Loc) -> Iterator[Finding]:
    if isinstance(value, timedelta):
        if not value and (type(section).__name__, name) not in _MAY_BE_ZERO:
            yield Finding(loc, "must be longer than 0s")
        elif value > _LONGEST:
            yield Finding(loc, "is longer than a hundred years: make it shorter")
    elif isinstance(value, Section):
        yield from _sections(value, loc)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, Section):
                yield from _sections(item, (*loc, index))


def _tls(tls: TlsConfig | WebTlsConfig, loc: Loc) -> Iterator[Finding]:
    if isinstance(tls, TlsConfig) and tls.ca_file:
        yield from _ca_file(tls.ca_file, (*loc, "ca_file"))
    if tls.cert_file:
        yield from _key_pair(tls.cert_file, tls.key_file, loc)
    elif tls.key_file:
        yield Finding((*loc, "key_file"), "stands without cert_file: add it", rests_on=((*loc, "cert_file"),))


def _ca_file(name: str, loc: Loc) -> Iterator[Finding]:
    problem = _unreadable(name)
    if problem is None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=name)
        except (ssl.SSLError, OSError):
            problem = f"{name} holds no certificates: name a file of them in PEM form"
    if problem:
        yield Finding(loc, problem)


def _key_pair(cert: str, key: str | None, loc: Loc) -> Iterator[Finding]:
    problems = [(part, name, _unreadable(name)) for part, name in (("cert_file", cert), ("key_file", key)) if name]
    for part, _, problem in problems:
        if problem:
            yield Finding((*loc, part), problem)
    if any(problem for _, _, problem in problems):
        return
    try:
        # the password is never asked for at a terminal
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(cert, key, password=lambda: "")
    except (ssl.SSLError, OSError):
        message = "is no certificate with its own unencrypted key: name two files in PEM form that belong together"
        yield Finding((*loc, "cert_file"), message, rests_on=((*loc, "key_file"),))


def _unreadable(name: str) -> str | None:
    try:
        read_bytes(Path(name), _LARGEST)
    except FileError as error:
        return f"{name} {error}"
    return None
