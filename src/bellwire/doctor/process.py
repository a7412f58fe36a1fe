"""What the daemon's process needs of the machine, and who may reach its web address."""

from __future__ import annotations

import resource
from functools import partial
from typing import TYPE_CHECKING

from bellwire.assembly import WIDTH, channels_of
from bellwire.config.values import host_port, is_loopback
from bellwire.doctor.diagnosis import Check, Diagnosis, failed, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bellwire.config.schema import Config, WebConfig
    from bellwire.doctor.diagnosis import Patient

_ITS_OWN = 100  # ledger, web, log, libraries
_AN_ACCOUNT = 3  # stream, list, read mark
_SHORT = 16  # characters of a token that could be guessed


def check_process(patient: Patient) -> Iterator[Check]:
    """Yield the checks of the process and of its web address."""
    yield Check(name="open files", subject="limit", look=partial(_limit, patient.config))
    if patient.config.web.listen:
        yield Check(name="web", subject=patient.config.web.listen, look=partial(_web, patient.config.web))


async def _limit(config: Config) -> list[Diagnosis]:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = files_needed(config)
    text = f"{soft} files may be open here, {needed} may be needed at once"
    if soft in (resource.RLIM_INFINITY, -1):
        return [ok("any number of files may be open")]
    if soft < needed:
        return [
            failed(text, "raise it: `ulimit -n` in a shell, LimitNOFILE= in the systemd unit, --ulimit for a container")
        ]
    return [ok(text)]


def files_needed(config: Config) -> int:
    """Return how many files, sockets among them, may be open at once."""
    sends = sum(WIDTH[key.kind] for key in channels_of(config))
    return _ITS_OWN + _AN_ACCOUNT * len(config.accounts) + sends


async def _web(web: WebConfig) -> list[Diagnosis]:
    address = host_port(web.listen, lowest=0)
    local = address is not None and is_loopback(address[0])
    return [*_tokens(web, local=local), *_tls(web, local=local)]


def _tokens(web: WebConfig, *, local: bool) -> Iterator[Diagnosis]:
    tokens = {"token": web.token, "read_token": web.read_token}
    for name, token in tokens.items():
        if token and len(token.get_secret_value()) < _SHORT:
            remedy = f"make a long one: `head -c 32 /dev/urandom | base64` into the file of {name}_file"
            yield warning(f"{name} has fewer than {_SHORT} characters and could be guessed", remedy)
    if web.token is None and local:
        yield ok("no token is asked for: every program and user of this machine may look and act")
    elif web.token is None:  # check-config refuses it, unless this program's rule and that one drift apart
        yield failed("other machines can reach it, and no token is asked for", "set web.token_file")
    else:
        yield ok("a token is asked for")


def _tls(web: WebConfig, *, local: bool) -> Iterator[Diagnosis]:
    by_proxy = (web.external_url or "").startswith("https:")
    if not local and web.tls_config is None and not by_proxy:
        remedy = "set web.tls_config, or listen on loopback behind a proxy that speaks TLS, and set web.external_url"
        yield warning("other machines send the token in the clear", remedy)
