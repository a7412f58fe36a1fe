"""Imports run one way, the pure parts stay pure, and time and connections each have one home."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).parents[1] / "src" / "bellwire"

# --- the rules -----------------------------------------------------------------------------------------------------
# A unit is what a rule speaks of: a module or package directly under `bellwire`, and the modules of `config` that are
# vocabulary. Every unit is listed with the units that it may import; itself and the version it always may. Imports for
# type checkers and inside functions count like any other.

VOCABULARY = {"values", "model", "records", "trouble_records", "errors", "states"}
SHARED = VOCABULARY | {
    "config.schema",
    "config.duration",
    "ports",
    "clock",
    "metrics",
    "http",
    "wire",
    "dialing",
    "listening",
    "turns",
    "routing",
}
SHARED |= {"templating", "errands", "outcomes", "outcome_report", "rendering"}
ADAPTERS = {"apis", "sources", "channels", "ledger", "web"}
ARROWS = {"intake", "dispatch", "acknowledge", "retention", "auditor", "crosscheck", "standby", "timekeeping"}
BELOW_APP = SHARED | {"config"} | ADAPTERS | ARROWS

MAY_IMPORT: dict[str, set[str]] = {
    **dict.fromkeys(VOCABULARY, VOCABULARY),
    **dict.fromkeys(SHARED - VOCABULARY, SHARED),
    "config": SHARED,
    **dict.fromkeys(ADAPTERS | ARROWS, SHARED | {"config"}),
    "sources": SHARED | {"config", "apis"},
    "assembly": BELOW_APP,
    "meta": SHARED | {"config", "dispatch", "ledger"},
    "serving": BELOW_APP | {"assembly"},
    "buttons": SHARED | {"config", "channels", "ledger", "serving"},
    "upkeep": BELOW_APP | {"assembly", "meta", "serving"},
    "insight": BELOW_APP | {"rehearsal"},
    "view": BELOW_APP | {"insight", "upkeep"},
    "watches": BELOW_APP,
    "app": BELOW_APP | {"assembly", "buttons", "serving", "upkeep", "view", "watches"},
    "alertmanager": SHARED | {"config"},
    "rehearsal": BELOW_APP | {"assembly"},
    "reference": {"model"},
    "doctor": BELOW_APP | {"assembly"},
    "cli": BELOW_APP | {"alertmanager", "app", "assembly", "demo", "doctor", "reference", "rehearsal"},
    "demo": BELOW_APP | {"app", "cli", "reference"},
    "__main__": {"cli"},
}

PURE = VOCABULARY | {"routing"}
"""Units that at run time import nothing that reaches outside the process, tells the time or throws dice."""

IMPURE = (
    {"asyncio", "concurrent", "ctypes", "ftplib", "http", "io", "logging", "mmap", "multiprocessing", "os", "pathlib"}
    | {"queue", "random", "sched", "secrets", "select", "selectors", "shutil", "signal", "smtplib", "socket"}
    | {"socketserver", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib.request", "uuid"}
)
PURE_PACKAGES = {"orjson", "pydantic", "re2"}
"""The only installed packages that pure units may import."""

WALL_CLOCK = {"time.time", "time.time_ns", "datetime.date.today"} | {
    f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")
}
CONNECTIONS = {"aiohttp.ClientSession", "aiohttp.request"}

# `reference` and `demo` stand on the other side of the wire: they have a life of their own.
MAY_READ_THE_WALL = {"clock", "reference", "demo"}
MAY_CONNECT = {"http", "reference", "demo"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """A line that breaks a rule."""

    file: Path
    line: int
    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}: {self.why}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Module:
    """A parsed source file: ``name`` is dotted, and starts with the package."""

    file: Path
    name: str
    tree: ast.Module

    @property
    def unit(self) -> str:
        return unit_of(self.name)


def unit_of(module: str) -> str:
    """Return the unit that a dotted module name within the package belongs to; "" for the package itself."""
    parts = module.split(".")[1:]
    if ".".join(parts[:2]) in SHARED:
        return ".".join(parts[:2])
    return parts[0] if parts else ""


# --- reading -------------------------------------------------------------------------------------------------------


def modules(package: Path) -> list[Module]:
    """Parse every file of a package."""
    found = []
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.append(Module(file=file, name=name, tree=ast.parse(file.read_text(encoding="utf-8"), str(file))))
    return found


def imports(tree: ast.AST) -> Iterator[tuple[ast.stmt, str, str, str]]:
    """Yield (statement, module, name imported from it or "", name bound) for each import anywhere below ``tree``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name, "", alias.asname or alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node, "." * node.level + (node.module or ""), alias.name, alias.asname or alias.name


def for_type_checkers(tree: ast.Module) -> set[ast.AST]:
    """Return all nodes under ``if TYPE_CHECKING:``, which do not run."""
    return {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
        for statement in node.body
        for inner in ast.walk(statement)
    }


def uses(tree: ast.Module) -> Iterator[tuple[ast.expr, str]]:
    """Yield each mention of an imported thing with its full dotted name, whatever it was imported as."""
    bound = {}
    for _, module, name, binding in imports(tree):
        plain = module if binding != module.partition(".")[0] else binding
        bound[binding] = f"{module}.{name}" if name else plain
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            root, *rest = ast.unparse(node).split(".")
            if root in bound:
                yield node, ".".join([bound[root], *rest])


# --- judging -------------------------------------------------------------------------------------------------------


def check(package: Path) -> list[Violation]:
    """Return all that breaks the rules in a package, in the order of its files."""
    parsed = modules(package)
    names = {module.name for module in parsed}
    return [
        violation
        for module in parsed
        for violation in (*check_layers(module, names), *check_purity(module), *check_homes(module))
    ]


def check_layers(module: Module, names: set[str]) -> Iterator[Violation]:
    """Hold the table `MAY_IMPORT`. ``names`` are all modules of the package."""
    root = module.name.partition(".")[0]
    if module.unit and module.unit not in MAY_IMPORT:
        why = f"`{module.unit}` has no layer: give it one in MAY_IMPORT"
        yield Violation(file=module.file, line=1, what=f"is {module.name}", why=why)
        return
    for node, source, name, _ in imports(module.tree):
        target = f"{source}.{name}" if f"{source}.{name}" in names else source
        if target.partition(".")[0] != root:
            continue
        unit = unit_of(target)
        if unit not in {"", module.unit} | MAY_IMPORT.get(module.unit, set()):
            why = f"`{module.unit or root}` may not import `{unit}`"
            yield Violation(file=module.file, line=node.lineno, what=f"imports {target}", why=why)


def check_purity(module: Module) -> Iterator[Violation]:
    """Hold `PURE` units to what has no outside."""
    if module.unit not in PURE:
        return
    root = module.name.partition(".")[0]
    unseen = for_type_checkers(module.tree)
    for node, source, name, _ in imports(module.tree):
        top = source.partition(".")[0]
        if node in unseen or top == root:
            continue
        impure = {top, source, f"{source}.{name}"} & IMPURE
        if impure or (top not in sys.stdlib_module_names and top not in PURE_PACKAGES):
            why = f"`{module.unit}` is pure: no I/O, no clock, no randomness"
            yield Violation(file=module.file, line=node.lineno, what=f"imports {source}", why=why)


def check_homes(module: Module) -> Iterator[Violation]:
    """Hold the wall's time to `clock`, and the making of connections to `http`."""
    called = {node.func for node in ast.walk(module.tree) if isinstance(node, ast.Call)}
    for node, full in uses(module.tree):
        if full in WALL_CLOCK and module.unit not in MAY_READ_THE_WALL:
            why = "only `clock` reads the wall's time: ask a Clock"
            yield Violation(file=module.file, line=node.lineno, what=f"uses {full}", why=why)
        if full in CONNECTIONS and node in called and module.unit not in MAY_CONNECT:
            why = "only `http` makes connections: ask its HttpPool"
            yield Violation(file=module.file, line=node.lineno, what=f"calls {full}", why=why)


# --- the tests -----------------------------------------------------------------------------------------------------


def test_the_package_keeps_its_layers() -> None:
    violations = [str(violation) for violation in check(PACKAGE)]
    assert not violations, "\n" + "\n".join(violations)


MADE_UP = {
    "a lower layer imports a higher one": ("ports.py", "from bellwire.app import run", "imports bellwire.app"),
    "the model imports what is above it": ("model.py", "import bellwire.ports", "imports bellwire.ports"),
    "an adapter imports another": ("channels/slack.py", "from bellwire.ledger import x", "imports bellwire.ledger"),
    "a module is imported by its package's name": ("http.py", "from bellwire import app", "imports bellwire.app"),
    "apis import sources": ("apis/atp.py", "from bellwire.sources import x", "imports bellwire.sources"),
    "an arrow imports another": ("intake.py", "import bellwire.dispatch as d", "imports bellwire.dispatch"),
    "an arrow imports an adapter": ("dispatch.py", "from bellwire.channels import x", "imports bellwire.channels"),
    "the vocabulary imports the rest of the configuration": (
        "config/schema.py",
        "from bellwire.config.load import x",
        "imports bellwire.config.load",
    ),
    "the reference server imports the bridge": ("reference/store.py", "import bellwire.http", "imports bellwire.http"),
    "an import hides behind TYPE_CHECKING": (
        "model.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from bellwire.app import App",
        "imports bellwire.app",
    ),
    "an import hides in a function": (
        "states.py",
        "def f():\n    from bellwire.ledger import x",
        "imports bellwire.ledger",
    ),
    "a module has no layer": ("helpers.py", "", "is bellwire.helpers"),
    "the model sleeps": ("model.py", "import asyncio", "imports asyncio"),
    "routing reads a file": ("routing/tree.py", "from os.path import exists", "imports os.path"),
    "routing fetches": ("routing/tree.py", "from urllib import request", "imports urllib"),
    "routing throws dice, later": ("routing/tree.py", "def f():\n    import random", "imports random"),
    "states use a package that reaches out": ("states.py", "import aiohttp", "imports aiohttp"),
    "the wall's time is read": ("app.py", "import time\ntime.time()", "uses time.time"),
    "the wall's time is read under another name": (
        "app.py",
        "from time import time as t\nmake(default_factory=t)",
        "uses time.time",
    ),
    "today is asked for": (
        "web/page.py",
        "import datetime as dt\ndt.datetime.now(dt.UTC)",
        "uses datetime.datetime.now",
    ),
    "a session is made": (
        "channels/slack.py",
        "import aiohttp\naiohttp.ClientSession()",
        "calls aiohttp.ClientSession",
    ),
    "a session is made by its bare name": (
        "apis/atp.py",
        "from aiohttp import ClientSession\nClientSession()",
        "calls aiohttp.ClientSession",
    ),
}

ALLOWED = {
    "sources use apis": ("sources/sse.py", "from bellwire.apis import x\nfrom bellwire.ports import y"),
    "everything knows the version": ("http.py", "from bellwire import __version__"),
    "types of what reaches out": (
        "model.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import aiohttp\n    from pathlib import Path",
    ),
    "a parser of addresses": ("routing/tree.py", "from urllib.parse import urlsplit\nimport re2"),
    "the clock's own reading": ("clock.py", "from datetime import UTC, datetime\ndatetime.now(UTC)"),
    "steady time": ("app.py", "import time\ntime.monotonic()"),
    "the type of a session": ("channels/slack.py", "import aiohttp\ndef f(session: aiohttp.ClientSession): ..."),
    "the pool": ("http.py", "import aiohttp\naiohttp.ClientSession()"),
}


def made_up(folder: Path, file: str, source: str) -> Path:
    """Write a package of one file with anything in it, and empty modules to import."""
    package = folder / "bellwire"
    for other in ("__init__", "app", "ports", "http", "dispatch", "config/load"):
        (package / other).with_suffix(".py").parent.mkdir(parents=True, exist_ok=True)
        (package / other).with_suffix(".py").touch()
    (package / file).parent.mkdir(exist_ok=True)
    (package / file).write_text(source)
    return package


@pytest.mark.parametrize(("file", "source", "what"), MADE_UP.values(), ids=MADE_UP)
def test_the_checker_finds(tmp_path: Path, file: str, source: str, what: str) -> None:
    package = made_up(tmp_path, file, source)
    (violation,) = check(package)
    assert violation.what == what
    assert violation.line == max(1, len(source.splitlines()))
    assert str(violation).startswith(f"{package / file}:{violation.line}: {what}: ")


@pytest.mark.parametrize(("file", "source"), ALLOWED.values(), ids=ALLOWED)
def test_the_checker_allows(tmp_path: Path, file: str, source: str) -> None:
    assert check(made_up(tmp_path, file, source)) == []
