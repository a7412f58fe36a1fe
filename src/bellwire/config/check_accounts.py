"""Checks of accounts across their keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bellwire.config import values
from bellwire.config.finding import Finding
from bellwire.config.later import APIS_LATER
from bellwire.config.nearest import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bellwire.config.places import Loc
    from bellwire.config.schema import AccountConfig, Authorization, Config

OWN_LABELS = frozenset({"account", "api", "type", "severity"})


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiRules:
    """What the configuration may say to one API: the parameters it filters by, and whether it mints tokens of a pair."""

    params: frozenset[str] = frozenset()
    key_pair: bool = False
    anonymous: bool = False


APIS: Mapping[str, ApiRules] = {
    "visual_layer": ApiRules(params=frozenset({"dataset_id"}), key_pair=True, anonymous=True),
}


def check_accounts(config: Config) -> Iterator[Finding]:
    """Yield what is wrong with the accounts."""
    first: dict[str, int] = {}
    for index, account in enumerate(config.accounts):
        loc: Loc = ("accounts", index)
        earlier = first.setdefault(account.name, index)
        if earlier != index:
            message = f"{account.name} is the name of accounts[{earlier}] too: give each account its own"
            yield Finding((*loc, "name"), message, rests_on=(("accounts", earlier, "name"),))
        yield from _account(account, loc)


def _account(account: AccountConfig, loc: Loc) -> Iterator[Finding]:
    rules = APIS.get(account.api)
    if rules is None:
        yield Finding((*loc, "api"), _unknown_api(account.api))
    else:
        yield from _params(account, rules, loc)
        yield from _authorization(account.authorization, rules, loc)
    problem = values.http_url(account.base_url, bare=True)
    if problem:
        yield Finding((*loc, "base_url"), problem)
    if account.poll.min_interval > account.poll.max_interval:
        message = "is more than max_interval: make it at most that"
        yield Finding((*loc, "poll", "min_interval"), message, rests_on=((*loc, "poll", "max_interval"),))
    yield from _labels(account, loc)
    for name, value in account.headers.items():
        problem = values.header_name(name) or values.header_value(value)
        if problem:
            yield Finding((*loc, "headers", name), problem)


def _unknown_api(name: str) -> str:
    if name in APIS_LATER:
        return f"{name} is not supported by this version yet; remove the account"
    return f"there is no such API: {suggestion(name, APIS)}"


def _params(account: AccountConfig, rules: ApiRules, loc: Loc) -> Iterator[Finding]:
    for name, value in account.params.items():
        place = (*loc, "params", name)
        if name not in rules.params:
            yield Finding(place, f"{account.api} knows no such parameter: {suggestion(name, rules.params)}")
        elif not isinstance(value, str) or not value:
            yield Finding(place, "must be text that is not empty: write one value")


def _authorization(given: Authorization | None, rules: ApiRules, loc: Loc) -> Iterator[Finding]:
    place = (*loc, "authorization")
    token, key, secret = (given.credentials, given.api_key, given.api_secret) if given else (None, None, None)
    if token and (key or secret):
        yield Finding(place, "has both credentials and a key pair: keep one of the two")
    if key and not secret:
        message = "lacks api_secret, which goes with api_key: add it, or api_secret_file"
        yield Finding(place, message, rests_on=((*place, "api_secret"),))
    if secret and not key:
        message = "lacks api_key, which goes with api_secret: add it, or api_key_file"
        yield Finding(place, message, rests_on=((*place, "api_key"),))
    if (key or secret) and not rules.key_pair:
        yield Finding(place, "this API takes no key pair: give credentials or credentials_file")
    if not rules.anonymous and not (token or key or secret):
        yield Finding(place, "this API needs a token: give credentials or credentials_file")
    for name, value in (("credentials", token), ("api_key", key), ("api_secret", secret)):
        problem = values.bearer(value.get_secret_value()) if value else None
        if problem:
            yield Finding((*place, name), problem)


def _labels(account: AccountConfig, loc: Loc) -> Iterator[Finding]:
    for name in account.labels:
        place = (*loc, "labels", name)
        if not name:
            yield Finding(place, "a label needs a name: write one before the colon")
        elif name in OWN_LABELS:
            yield Finding(place, f"every alert has a label {name} of its own: choose another name")
