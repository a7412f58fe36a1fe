"""Checks of accounts across their keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bellwire.config import values
from bellwire.config.finding import Finding
from bellwire.config.nearest import suggestion
from bellwire.routing.readers import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bellwire.config.places import Loc
    from bellwire.config.schema import AccountConfig, Authorization, Config

_NOT_IN_COOKIES = ';,"\\'
OWN_LABELS = frozenset({"account", "api", "type", "severity"})


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiRules:
    """What the configuration may say to one API: the parameters of its calls, and how it may be told who asks.

    Of the parameters, ``lists`` may have several values, ``choices`` only those named, and ``numbers`` are whole and
    more than 0. ``cookie``: the token may be sent as a cookie. ``web_url``: items link to places behind it. ``org_id``:
    a user has several inboxes, one an organisation.
    """

    params: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    numbers: frozenset[str] = frozenset()
    cookie: bool = False
    web_url: bool = False
    org_id: bool = False
    key_pair: bool = False
    anonymous: bool = False


APIS: Mapping[str, ApiRules] = {
    "visual_layer": ApiRules(params=frozenset({"dataset_id"}), key_pair=True, anonymous=True),
    "qualytics": ApiRules(
        params=frozenset({"trigger_type", "tag", "size"}),
        lists=frozenset({"trigger_type", "tag"}),
        choices={"trigger_type": ("Anomaly", "PartitionScan", "Operation", "Manual")},
        numbers=frozenset({"size"}),
    ),
    "owlmetry": ApiRules(params=frozenset({"type"}), cookie=True, web_url=True),
    "elan": ApiRules(org_id=True),
    "atp": ApiRules(
        params=frozenset({"service_id", "project", "bulk_acknowledge"}),
        choices={"bulk_acknowledge": ("true", "false")},
    ),
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
        yield Finding((*loc, "api"), f"there is no such API: {suggestion(account.api, APIS)}")
    else:
        yield from _params(account, rules, loc)
        yield from _authorization(account.authorization, rules, loc)
        yield from _web_url(account, rules, loc)
        yield from _org_id(account, rules, loc)
    problem = values.http_url(account.base_url, bare=True)
    if problem:
        yield Finding((*loc, "base_url"), problem)
    if account.poll.min_interval > account.poll.max_interval:
        message = "is more than max_interval: make it at most that"
        yield Finding((*loc, "poll", "min_interval"), message, rests_on=((*loc, "poll", "max_interval"),))
    yield from _labels(account, loc)
    for name, value in account.headers.items():
        text = value.get_secret_value()
        problem = values.header_name(name) or values.header_value(text) or _credential_header(name, account)
        if problem:
            yield Finding((*loc, "headers", name), problem)


def _credential_header(name: str, account: AccountConfig) -> str | None:
    """Refuse a second proof of who asks: where two differ, a vendor may well look at the wrong one."""
    if account.authorization is not None and name.lower() in {"authorization", "cookie"}:
        return "stands beside authorization, which makes such headers: keep one of the two"
    return None


def _params(account: AccountConfig, rules: ApiRules, loc: Loc) -> Iterator[Finding]:
    for name, value in account.params.items():
        place = (*loc, "params", name)
        if name not in rules.params:
            yield Finding(place, f"{account.api} knows no such parameter: {suggestion(name, rules.params)}")
        elif problem := _param(name, value, rules):
            yield Finding(place, problem)


def _param(name: str, value: Any, rules: ApiRules) -> str | None:
    several = name in rules.lists
    values_ = value if several and isinstance(value, list) else [value]
    if not values_ or not all(isinstance(each, str) and each for each in values_):
        what = "one value, or a list of them" if several else "one value"
        return f"must be text that is not empty: write {what}"
    choices = rules.choices.get(name, ())
    strange = [each for each in values_ if choices and each not in choices]
    if strange:
        return f"has no choice {strange[0]}: {suggestion(strange[0], choices)}"
    if name in rules.numbers and not (value.isascii() and value.isdigit() and int(value) > 0):
        return "must be a whole number from 1 on"
    return None


def _web_url(account: AccountConfig, rules: ApiRules, loc: Loc) -> Iterator[Finding]:
    if account.web_url is None:
        return
    if not rules.web_url:
        yield Finding((*loc, "web_url"), f"{account.api} links to whole addresses, or to none: remove it")
    elif problem := values.http_url(account.web_url, bare=True):
        yield Finding((*loc, "web_url"), problem)


def _org_id(account: AccountConfig, rules: ApiRules, loc: Loc) -> Iterator[Finding]:
    if account.org_id is None:
        return
    place = (*loc, "org_id")
    if not rules.org_id:
        yield Finding(place, f"{account.api} knows no organisations: remove it")
    elif not account.org_id:
        yield Finding(place, "is empty: give it a value, or remove it")
    elif problem := values.header_value(account.org_id):
        yield Finding(place, problem)
    for name in account.headers:
        if name.lower() == "x-org-id":
            yield Finding((*loc, "headers", name), "says what org_id says: keep one of the two", rests_on=(place,))


def _authorization(given: Authorization | None, rules: ApiRules, loc: Loc) -> Iterator[Finding]:
    place = (*loc, "authorization")
    token, key, secret = (given.credentials, given.api_key, given.api_secret) if given else (None, None, None)
    if given and given.type == "cookie" and not rules.cookie:
        yield Finding((*place, "type"), "this API takes no cookie: remove it")
    elif given and given.type == "cookie" and token and set(token.get_secret_value()) & set(_NOT_IN_COOKIES):
        yield Finding((*place, "credentials"), "holds a character that no cookie may have: copy it again")
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
        message = "this API needs a token: give credentials or credentials_file"
        yield Finding(place, message, rests_on=tuple((*place, key) for key in ("credentials", "api_key", "api_secret")))
    for name, value in (("credentials", token), ("api_key", key), ("api_secret", secret)):
        problem = values.bearer(value.get_secret_value()) if value else None
        if problem:
            yield Finding((*place, name), problem)


def own_text(name: str) -> str:
    """Return what to say of a label that would be named as one of the alert's own texts."""
    return f"rules take {name} for the alert's own {name}, so nothing would read such a label: choose another name"


def _labels(account: AccountConfig, loc: Loc) -> Iterator[Finding]:
    for name in account.labels:
        place = (*loc, "labels", name)
        if not name:
            yield Finding(place, "a label needs a name: write one before the colon")
        elif name in OWN_LABELS:
            yield Finding(place, f"every alert has a label {name} of its own: choose another name")
        elif name in FIELDS:
            yield Finding(place, own_text(name))
