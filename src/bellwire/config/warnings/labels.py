"""Matchers on labels that no configured account gives, or on values that none of them has."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from bellwire.config.finding import Finding
from bellwire.config.warnings.branches import placed
from bellwire.config.warnings.vocabulary import Vocabulary
from bellwire.routing.readers import FIELDS, PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bellwire.config.places import Loc
    from bellwire.config.schema import Config
    from bellwire.config.warnings.branches import Branch, Placed
    from bellwire.routing.matchers import Matcher

_NARROWING = frozenset({"account", "api"})
_SHOWN = 5


def check_labels(config: Config, root: Branch) -> Iterator[Finding]:
    """Yield the names and values that no alert has. Without accounts nothing is known of labels."""
    if not config.accounts:
        return
    every = Vocabulary.of(config)
    for branch in root.walk():
        above = _narrowed(every, [one for _, one in branch.parents])
        yield from _matchers(branch.matchers, _narrowed(above, branch.own), above)
        if "group_by" in branch.config.model_fields_set:
            names = [name for name in branch.config.group_by if name != "..."]
            yield from _names(names, (*branch.loc, "group_by"), _narrowed(above, branch.own))
        if "dedupe_by" in branch.config.model_fields_set:
            yield from _names(branch.config.dedupe_by, (*branch.loc, "dedupe_by"), _narrowed(above, branch.own))
    for entries in _lists(config):
        yield from _matchers(entries, every, every)
    for at, rule in enumerate(config.inhibit_rules):
        yield from _names(rule.equal, ("inhibit_rules", at, "equal"), every)


def _lists(config: Config) -> Iterator[tuple[Placed, ...]]:
    """Yield every list of matchers that is no route's."""
    for at, rule in enumerate(config.label_rules):
        yield placed(rule.matchers, ("label_rules", at, "matchers"))
    for at, inhibit in enumerate(config.inhibit_rules):
        for key in ("source_matchers", "target_matchers"):
            yield placed(getattr(inhibit, key), ("inhibit_rules", at, key))
    for at, receiver in enumerate(config.receivers):
        for slack_at, slack in enumerate(receiver.slack_configs):
            for mention_at, mention in enumerate(slack.mention):
                loc = ("receivers", at, "slack_configs", slack_at, "mention", mention_at, "matchers")
                yield placed(mention.matchers, loc)


def _narrowed(vocabulary: Vocabulary, matchers: Sequence[Matcher]) -> Vocabulary:
    """Leave out the accounts that the matchers exclude; all stay if none would, for that is told by itself."""
    narrowing = [one for one in matchers if one.name in _NARROWING and one.name not in vocabulary.set_by_rules]
    left = [
        account
        for account in vocabulary.accounts
        if all(one.test(account.name if one.name == "account" else account.api) for one in narrowing)
    ]
    return vocabulary.narrowed(left) if left else vocabulary


def _matchers(entries: Iterable[Placed], names: Vocabulary, values: Vocabulary) -> Iterator[Finding]:
    """Yield what is wrong with each. ``values`` is the vocabulary of what comes here, before these matchers narrow it."""
    for loc, one in entries:
        problem = _strange(one.name, names)
        if problem:
            yield Finding(loc, problem)
            continue
        known = values.values(one.name)
        # severity is told with the route, where a contradiction is shown as a whole
        if known is not None and one.name != "severity" and not any(one.test(value) for value in known):
            shown = ", ".join(sorted(value or '""' for value in known)[:_SHOWN])
            more = ", …" if len(known) > _SHOWN else ""
            yield Finding(loc, f"matches nothing: the values of {one.name} here are {shown}{more}")


def _names(names: Sequence[str], loc: Loc, vocabulary: Vocabulary) -> Iterator[Finding]:
    for at, name in enumerate(names):
        problem = _strange(name, vocabulary)
        if problem:
            yield Finding((*loc, at), problem)


def _strange(name: str, vocabulary: Vocabulary) -> str | None:
    known = vocabulary.labels
    if known is None or name in known or name in FIELDS or name.startswith(PAYLOAD):
        return None
    near = difflib.get_close_matches(name, sorted(known | FIELDS), 1)
    hint = f"did you mean {near[0]}?" if near else f"those that come here are {', '.join(sorted(known))}"
    return f"no alert that comes here has a label {name}: {hint}"
