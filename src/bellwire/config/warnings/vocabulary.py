"""Which labels alerts can have, by the configured accounts: the table of APIs in the documentation, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bellwire.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bellwire.config.schema import AccountConfig, Config

ALWAYS = frozenset({"account", "api", "type", "severity"})
LATE = "late"  # put on what arrived while a stream was down

API_LABELS: Mapping[str, frozenset[str]] = {
    "visual_layer": frozenset(
        {"dataset_id", "dataset_name", "view_name", "result_count", "entity_type", "entity_id", "batch_id"}
    ),
    "qualytics": frozenset({"flow", "flow_id"}),
    "owlmetry": frozenset({"team_id"}),
}
"""The labels of those APIs that have a fixed set. The others put whatever their items hold into labels."""

_UNREADABLE = "unreadable"  # what an item becomes that is none
_TYPES: Mapping[str, frozenset[str]] = {
    "visual_layer": frozenset({"alert", "notification", _UNREADABLE}),
    "atp": frozenset({"notification", _UNREADABLE}),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Vocabulary:
    """The labels of some accounts' alerts. ``labels`` is None where they may be any."""

    accounts: tuple[AccountConfig, ...]
    set_by_rules: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, config: Config) -> Vocabulary:
        """Return what all accounts together can give."""
        by_rules: dict[str, frozenset[str]] = {}
        for rule in config.label_rules:
            for name, value in rule.labels.items():
                by_rules[name] = by_rules.get(name, frozenset()) | {value}
        return cls(accounts=tuple(config.accounts), set_by_rules=by_rules)

    def narrowed(self, accounts: Sequence[AccountConfig]) -> Vocabulary:
        """Return what these accounts alone can give."""
        return Vocabulary(accounts=tuple(accounts), set_by_rules=self.set_by_rules)

    @property
    def labels(self) -> frozenset[str] | None:
        """Return all names that alerts may bear, None if they may be any."""
        if any(account.api not in API_LABELS for account in self.accounts):
            return None
        vendors = _union(API_LABELS[account.api] for account in self.accounts)
        return vendors | _union(account.labels for account in self.accounts) | ALWAYS | {LATE} | set(self.set_by_rules)

    def values(self, name: str) -> frozenset[str] | None:
        """Return all values that the label can have, None if they may be any."""
        known = self._given(name)
        return None if known is None else known | self.set_by_rules.get(name, frozenset())

    def _given(self, name: str) -> frozenset[str] | None:
        if name == "account":
            return frozenset(account.name for account in self.accounts)
        if name == "api":
            return frozenset(account.api for account in self.accounts)
        if name == "severity":
            return frozenset(one.text for one in Severity)
        if name == "type":
            types = [_TYPES.get(account.api) for account in self.accounts]
            return None if None in types else _union(each for each in types if each is not None)
        own = [account for account in self.accounts if name in account.labels]
        others = [account for account in self.accounts if name not in account.labels]
        if not own or any(account.api not in API_LABELS or name in API_LABELS[account.api] for account in others):
            return None
        return frozenset(account.labels[name] for account in own) | ({""} if others else set())


def _union(sets: Iterable[Iterable[str]]) -> frozenset[str]:
    return frozenset(each for some in sets for each in some)
