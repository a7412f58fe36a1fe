"""Every event that Bellwire logs is in docs/logs.md, and no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "logs.md"
PACKAGE = ROOT / "src" / "bellwire"

_METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
_NAME = re.compile(r"[a-z][a-z0-9_]*")

Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Module


def events(source: str) -> set[str]:
    """Return the names of all events that a module logs; ValueError where one is no constant."""
    found: set[str] = set()
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    scopes: list[Scope] = [*functions] or [tree]
    for scope in scopes:
        for node in ast.walk(scope):
            if isinstance(node, ast.Call) and node.args and is_logging(node.func, scope):
                # of `log`, the level comes first
                named = (
                    node.args[1] if isinstance(node.func, ast.Attribute) and node.func.attr == "log" else node.args[0]
                )
                found |= constants(named, scope, tree)
    return found


def is_logging(func: ast.expr, scope: Scope) -> bool:
    """Return whether this is a logger's method, perhaps one of two, perhaps by another name."""
    if isinstance(func, ast.IfExp):
        return is_logging(func.body, scope) and is_logging(func.orelse, scope)
    if isinstance(func, ast.Name):
        return any(is_logging(value, scope) for value in assigned(func.id, scope) if not isinstance(value, ast.Name))
    if not isinstance(func, ast.Attribute) or func.attr not in _METHODS:
        return False
    owner = ast.unparse(func.value)
    return owner.rpartition(".")[2] in {"log", "_log", "logger"} or owner.startswith("structlog.get_logger(")


def constants(node: ast.expr, scope: Scope, tree: ast.Module) -> set[str]:
    """Return the texts that an expression may be: itself one, one of two, a name for some, or a parameter."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    if isinstance(node, ast.IfExp):
        return constants(node.body, scope, tree) | constants(node.orelse, scope, tree)
    if isinstance(node, ast.Name) and (values := assigned(node.id, scope) or given(node.id, scope, tree)):
        return set().union(*(constants(value, scope, tree) for value in values))
    message = f"line {node.lineno}: an event's name must be a constant: {ast.unparse(node)}"
    raise ValueError(message)


def assigned(name: str, scope: Scope) -> list[ast.expr]:
    return [
        node.value
        for node in ast.walk(scope)
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    ]


def given(name: str, scope: Scope, tree: ast.Module) -> list[ast.expr]:
    """Return what the module gives for a function's parameter."""
    if isinstance(scope, ast.Module) or name not in (names := [each.arg for each in scope.args.args]):
        return []
    return [
        node.args[names.index(name)]
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == scope.name
    ]


def logged() -> dict[str, set[str]]:
    """Every event with the modules that log it."""
    found: dict[str, set[str]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        if "migrations" in file.parts:
            continue
        for event in events(file.read_text()):
            found.setdefault(event, set()).add(file.relative_to(PACKAGE).as_posix())
    return found


def documented() -> dict[str, str]:
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    names = [name for name, _, _ in rows]
    assert sorted(names) == sorted(set(names)), "an event stands twice"
    return {name: meaning for name, _, meaning in rows}


def test_every_event_is_explained_and_nothing_else_is() -> None:
    in_source, in_page = logged(), documented()
    assert {name: sorted(in_source[name]) for name in in_source.keys() - in_page.keys()} == {}, (
        "add them to docs/logs.md"
    )
    assert in_page.keys() - in_source.keys() == set(), "nothing logs these any more"


def test_names_of_events_are_words_and_each_has_a_sentence() -> None:
    for name, meaning in documented().items():
        assert _NAME.fullmatch(name), name
        assert meaning.strip().endswith("."), name


def test_the_reader_of_sources_finds_events_in_every_form() -> None:
    source = """
def f(self, quiet, log):
    log.info("plain", x=1)
    self._log.warning("own")
    (self._log.debug if quiet else self._log.info)("either")
    event = "dead" if quiet else "failed"
    level = log.error if quiet else log.warning
    level(event, y=2)
    log.log(self._level, "leveled")
    structlog.get_logger("x").warning("foreign")
    self.catalog.info("not a log")
    info("nor this")

def told(event, x):
    log.info(event, x=x)

told("by a parameter", 1)
"""
    assert events(source) == {"plain", "own", "either", "dead", "failed", "leveled", "foreign", "by a parameter"}
