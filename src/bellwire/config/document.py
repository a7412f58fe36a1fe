"""Reading YAML into a `Document`: plain values, and the place of every key and value.

ruamel.yaml composes the nodes; the values are made here, because only so are duplicate keys found with both places,
variables replaced before a scalar gets its type, aliases bounded, and tags that would build objects never looked at.
No message holds text of the file beyond a key: a value may be a secret, and so may what YAML takes for an alias or tag.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError, MaxDepthExceededError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from bellwire.config.interpolate import interpolate
from bellwire.config.places import Document, Loc, Place
from bellwire.config.scalar import resolve
from bellwire.config.values import is_whole
from bellwire.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ruamel.yaml.nodes import Node

MAX_DEPTH = 60
MAX_VALUES = 150_000  # keys too, and aliases written out: ten thousand accounts, which take some ten seconds
MAX_CHARACTERS = 4 * 1024 * 1024  # after aliases and variables

_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS = {_TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp", "merge", "value")}
_UNPRINTABLE = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_QUOTED = re.compile(r"'([^']*)'")

_EMPTY = "is empty: begin with config.example.yaml"
_NO_MAPPING = "is no mapping: write keys such as `accounts:`, `route:` and `receivers:` at the left margin"
_DEPTH = f"nests more than {MAX_DEPTH} levels deep, or contains itself through an alias: flatten it"
_SIZE = f"has more than {MAX_VALUES} values, or grows too large by its aliases and variables: make it smaller"
_ALIAS = "begins with * and so is an alias, but no anchor (&) of that name stands before it: put text in quotes"
_BAD_TAG = "begins with ! and so is a tag, and no tag of that name is allowed here: put text in quotes"
_HALF = "holds half of a character, as bytes that are no UTF-8 become: write all of it in UTF-8"
_KEY = "a key must be text: put a value in braces or brackets in quotes"

_IN_OUR_WORDS = {
    _SIZE: _SIZE,
    "undefined alias": _ALIAS,
    "tag handle": _BAD_TAG,
    "another document": "a second document begins here: a configuration is one, remove the ---",
    "but got '{'": "is no YAML: { cannot stand here; within braces and brackets put a value that has ${…} in quotes",
    "'\\t'": "is no YAML: a tab cannot indent, use spaces",
}


def parse(text: str, file: str, environ: Mapping[str, str], list_under: str | None = None) -> Document:
    """Return the document that ``text`` holds, its faults noted in it; ConfigError if there is no reading it at all.

    A list at its root is taken as what stands under the key ``list_under``, if that is given.
    """
    document = Document(file=file)
    unprintable = _UNPRINTABLE.search(text)
    if unprintable:
        before = text[: unprintable.start()]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        _fatal(file, line, column, f"holds the character U+{ord(unprintable[0]):04X}, which YAML does not allow")
    root = _compose(text, file)
    if root is None or (isinstance(root, ScalarNode) and not root.value):
        _fatal(file, 1, 1, _EMPTY)
    builder = _Builder(document, text, environ)
    if list_under is not None and isinstance(root, SequenceNode):
        document.values[()] = Place(file=file, line=1, column=1)
        document.data = {list_under: builder.build(root, (list_under,))}
    else:
        document.data = builder.build(root, ())
    if not isinstance(document.data, dict):
        _fatal(file, root.start_mark.line + 1, root.start_mark.column + 1, _NO_MAPPING)
    return document


class _BoundedComposer(Composer):
    """Stops before a file of a million tiny values has taken a minute."""

    composed = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose one node and what it holds."""
        self.composed += 1
        if self.composed > MAX_VALUES:
            raise ComposerError(None, None, _SIZE, self.parser.peek_event().start_mark)
        return super().compose_node(parent, index)


def _compose(text: str, file: str) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _BoundedComposer
    yaml.max_depth = MAX_DEPTH
    yaml.composer.warn_double_anchors = False
    failure: YAMLError
    try:
        node: Node | None = yaml.compose(text)
    except YAMLError as error:
        failure = error
    else:
        return node
    # out here, so that ruamel's text, which quotes the file, is no context of what is raised
    mark = getattr(failure, "problem_mark", None) or getattr(failure, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return _fatal(file, line, column, _problem(failure))


def _problem(error: YAMLError) -> str:
    if isinstance(error, MaxDepthExceededError):
        return _DEPTH
    problem = (error.problem if isinstance(error, MarkedYAMLError) else None) or "cannot be read"
    for sign, message in _IN_OUR_WORDS.items():
        if sign in problem:
            return message
    context = error.context if isinstance(error, MarkedYAMLError) else None
    # what stands in quotes in ruamel's texts is a token or one character, or else the user's own text
    shown = _QUOTED.sub(_without_user_text, f"{context}: {problem}" if context else problem)
    return f"is no YAML: {shown}"


def _without_user_text(quoted: re.Match[str]) -> str:
    return quoted[0] if len(quoted[1]) <= 1 or quoted[1].startswith("<") else "…"


def _fatal(file: str, line: int, column: int, message: str) -> NoReturn:
    raise ConfigError([Fault(file=file, line=line, column=column, path="", message=message)])


class _Builder:
    """Makes values of nodes. An alias is built anew wherever it stands, so that each value has one path."""

    def __init__(self, document: Document, text: str, environ: Mapping[str, str]) -> None:
        self._document = document
        self._text = text
        self._environ = environ
        self._values = MAX_VALUES
        self._characters = MAX_CHARACTERS

    def build(self, node: Node, loc: Loc) -> Any:
        place = self._place(node)
        self._document.values[loc] = place
        if isinstance(node, ScalarNode) and not node.value and node.style is None:
            # the parser is at the next token by then, often lines below
            self._document.values[loc] = self._document.keys.get(loc, place)
        self._values -= 1
        if len(loc) > MAX_DEPTH:
            _fatal(place.file, place.line, place.column, _DEPTH)
        if self._values < 0 or self._characters < 0:
            _fatal(place.file, place.line, place.column, _SIZE)
        if isinstance(node, MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, loc)
        if isinstance(node, SequenceNode) and node.tag == _TAG + "seq":
            return [self.build(item, (*loc, index)) for index, item in enumerate(node.value)]
        if isinstance(node, ScalarNode) and node.tag in _SCALAR_TAGS:
            return self._scalar(node, loc)
        self._document.report(loc, _BAD_TAG)
        self._document.broken.add(loc)
        return None

    def _mapping(self, node: MappingNode, loc: Loc) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key, value in self._own_pairs(node, loc):
            if key.value in mapping:
                self._duplicate(key, (*loc, key.value))
            else:
                self._document.keys[(*loc, key.value)] = self._place(key)
                mapping[key.value] = self.build(value, (*loc, key.value))
        for key, value in self._merged_pairs(node, loc):
            if key.value not in mapping:
                self._document.keys[(*loc, key.value)] = self._place(key)
                mapping[key.value] = self.build(value, (*loc, key.value))
        return mapping

    def _own_pairs(self, node: MappingNode, loc: Loc) -> list[tuple[ScalarNode, Node]]:
        pairs = []
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self._document.values[(*loc, "?")] = self._place(key)
                self._document.report((*loc, "?"), _KEY)
            elif not is_whole(key.value):
                self._document.values[(*loc, "?")] = self._place(key)
                self._document.report((*loc, "?"), _HALF)
            elif not _is_merge(key):
                pairs.append((key, value))
        return pairs

    def _merged_pairs(self, node: MappingNode, loc: Loc, depth: int = 0) -> list[tuple[ScalarNode, Node]]:
        """Return what ``<<`` brings in: earlier mappings win over later ones, as their keys come first."""
        pairs = []
        for _, value in ((key, value) for key, value in node.value if isinstance(key, ScalarNode) and _is_merge(key)):
            for source in value.value if isinstance(value, SequenceNode) else [value]:
                self._values -= 1
                if depth > MAX_DEPTH or self._values < 0:
                    place = self._place(node)
                    _fatal(place.file, place.line, place.column, _DEPTH if depth > MAX_DEPTH else _SIZE)
                if isinstance(source, MappingNode):
                    pairs += self._own_pairs(source, loc) + self._merged_pairs(source, loc, depth + 1)
                    self._values -= len(source.value)
                else:
                    self._document.values[(*loc, "<<")] = self._place(source)
                    self._document.report((*loc, "<<"), "can only bring in a mapping: name one by its alias")
        return pairs

    def _duplicate(self, key: ScalarNode, loc: Loc) -> None:
        first = self._document.keys[loc]
        self._document.keys[loc] = self._place(key)
        self._document.report(loc, f"is given twice, first in line {first.line}: remove one of them", key=True)
        self._document.keys[loc] = first

    def _scalar(self, node: ScalarNode, loc: Loc) -> Any:
        self._characters -= len(node.value)
        done = interpolate(node.value, self._environ)
        for offset, message in (*done.problems, *done.unset):
            self._document.report(loc, message, offset=offset)
            self._document.broken.add(loc)
        if done.unset:
            self._document.unset[loc] = self._document.faults[-len(done.unset) :]
        self._characters -= len(done.text)
        if not is_whole(done.text):
            self._document.values[loc] = self._place(node, exact=False)
            self._document.report(loc, _HALF)
            self._document.broken.add(loc)
            return ""
        self._document.texts[loc] = done.text
        if done.whole or done.text != node.value:
            self._document.interpolated.add(loc)
            self._document.values[loc] = self._place(node, exact=False)
        if node.tag == _TAG + "str" and (node.style is not None or not done.whole):
            return done.text
        if done.whole and not done.text:
            return ""  # a variable that is empty is no null: it must never turn `receiver` into a drop
        # by our own rules, whatever a %YAML directive says, and never with what a variable brought into longer text
        return resolve(done.text) if done.whole or done.text == node.value else done.text

    def _place(self, node: Node, *, exact: bool = True) -> Place:
        mark = node.start_mark
        line, column = mark.line + 1, mark.column + 1
        text_column = None
        if exact and isinstance(node, ScalarNode) and node.style == "|":
            return self._literal(node, line, column)
        if exact and isinstance(node, ScalarNode) and "\n" not in node.value:
            quote = 1 if node.style in {"'", '"'} else 0
            if self._text.startswith(node.value, mark.index + quote):
                text_column = column + quote
        return Place(file=self._document.file, line=line, column=column, text_column=text_column)

    def _literal(self, node: ScalarNode, line: int, column: int) -> Place:
        """Return the place of a text after ``|``: its lines stand in the file as they are, each indented alike."""
        written = self._text[node.start_mark.index :].split("\n", node.value.count("\n") + 2)[1:]
        lines = node.value.split("\n")
        first = next((at for at, content in enumerate(lines) if content), None)
        if first is None or first >= len(written) or not written[first].endswith(lines[first]):
            return Place(file=self._document.file, line=line, column=column)
        indent = len(written[first]) - len(lines[first])
        return Place(file=self._document.file, line=line, column=column, text_column=indent + 1, text_line=line + 1)


def _is_merge(key: ScalarNode) -> bool:
    return key.value == "<<" and key.style is None
