"""Templates compiled once, rendered for each message, and every error with its place."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import jinja2
from jinja2 import DictLoader, TemplateSyntaxError, nodes

from bellwire.errors import TemplateError
from bellwire.templating.budget import budgeted
from bellwire.templating.generator import NameFinder
from bellwire.templating.sandbox import Sandbox, nearest
from bellwire.templating.view import NAMES, view_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bellwire.model import Message
    from bellwire.templating.escaping import Safe
    from bellwire.templating.stationery import Stationery

LONGEST_SOURCE = 64 * 1024  # characters
_MOST_NODES = 20_000
_SPECIAL = frozenset({"self", "super", "loop", "caller", "varargs", "kwargs"})
_REFUSED: dict[type[nodes.Node], str] = {
    nodes.FilterBlock: "{% filter %} is not supported: use {% set x %}…{% endset %} and {{ x | FILTER }}",
    nodes.ScopedEvalContextModifier: "{% autoescape %} is not supported: what alerts say is always escaped",
}


class Template:
    """One compiled template."""

    def __init__(self, source: str, library: _Library) -> None:
        self._source = source
        self._library = library
        self._compiled = library.compile(source)

    def render(self, message: Message) -> Safe:
        """Return what it makes of the message, safe in its form. Raises `TemplateError`, whatever goes wrong."""
        failure: TemplateError
        sandbox = self._library.sandbox
        try:
            with budgeted():
                context = self._compiled.new_context(dict(view_of(message, self._library.stationery.external_url)))
                return sandbox.concat(self._compiled.root_render_func(context))
        except Exception as error:  # noqa: BLE001 - an alert's text, or the template itself, may provoke any
            failure = self._library.explain(error, self._source)
        raise failure  # out here: the foreign error's frames hold the whole message


@lru_cache(maxsize=512)
def compile_template(source: str, form: type[Safe], stationery: Stationery) -> Template:
    """Return the compiled template, the same for equal sources. Raises `TemplateError` for one that cannot be read."""
    return Template(source, _library(form, stationery))


@lru_cache(maxsize=32)
def _library(form: type[Safe], stationery: Stationery) -> _Library:
    return _Library(form, stationery)


def check_files(form: type[Safe], stationery: Stationery) -> Iterator[TemplateError]:
    """Yield what is wrong with the files themselves, whether or not a template imports them."""
    library = _Library(form, stationery)
    for file in stationery.files:
        try:
            library.compile(file.source, file.name)
        except TemplateError as error:
            yield error


class _Library:
    """The files, and what compiles templates that import them."""

    def __init__(self, form: type[Safe], stationery: Stationery) -> None:
        self.stationery = stationery
        self._sources = {file.name: file.source for file in stationery.files}
        self.sandbox = Sandbox(form, DictLoader(self._sources), stationery.timezone)

    def compile(self, source: str, name: str = "") -> jinja2.Template:
        """Return the template, and have the files that it names compiled."""
        failure: TemplateError
        try:
            with budgeted():
                tree = self.sandbox.parse(source, name or None)
                self._check(tree, source, name)
                for file in self._named(tree):
                    self.sandbox.get_template(file)
                return self.sandbox.from_string(tree)
        except Exception as error:  # noqa: BLE001 - Jinja2's own, and Python's for what is nested too deeply
            failure = self.explain(error, source, name)
        raise failure

    def _check(self, tree: nodes.Template, source: str, name: str) -> None:
        if len(source) > LONGEST_SOURCE:
            raise TemplateError(f"is longer than {LONGEST_SOURCE // 1024} KiB: split it", name=name)  # noqa: EM102, TRY003 - told once
        known = {"filter": self.sandbox.filters, "test": self.sandbox.tests}
        for count, node in enumerate(tree.find_all(nodes.Node)):
            problem, hint = _REFUSED.get(type(node), ""), ""
            if isinstance(node, nodes.For) and node.recursive:
                problem, hint = "recursive loops are not supported: write a macro", "recursive"
            elif isinstance(node, nodes.Filter | nodes.Test):
                kind = "filter" if isinstance(node, nodes.Filter) else "test"
                if node.name not in known[kind]:
                    names = (each for each in known[kind] if each[0].isalpha())
                    problem, hint = f"there is no {kind} {node.name!r}{nearest(node.name, names)}", node.name
            elif isinstance(node, nodes.Extends | nodes.Include | nodes.Import | nodes.FromImport):
                problem, hint = self._unknown_file(node)
            elif count > _MOST_NODES:
                problem = "is too large: split it"
            if problem:
                raise _at(problem, source, name, node.lineno, hint)
        self._check_names(tree, source, name)

    def _unknown_file(self, node: nodes.Extends | nodes.Include | nodes.Import | nodes.FromImport) -> tuple[str, str]:
        file = node.template.value if isinstance(node.template, nodes.Const) else None
        if not isinstance(file, str):
            return "must name its file in quotes", ""
        if file not in self._sources:
            known = nearest(file, self._sources) or ": add its file to templates"
            return f"there is no template file {file!r}{known}", file
        return "", ""

    def _named(self, tree: nodes.Template) -> Iterator[str]:
        for node in tree.find_all((nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
            if isinstance(node.template, nodes.Const):  # type: ignore[attr-defined]  # all four have it
                yield node.template.value  # type: ignore[attr-defined]  # as above

    def _check_names(self, tree: nodes.Template, source: str, name: str) -> None:
        known = {*NAMES, *self.sandbox.globals, *_SPECIAL}
        finder = NameFinder(self.sandbox)
        finder.visit(tree)
        unknown = finder.names - known
        for node in tree.find_all(nodes.Name):
            if node.name in unknown and node.ctx == "load":
                problem = f"there is no name {node.name!r}{nearest(node.name, known - _SPECIAL)}"
                raise _at(problem, source, name, node.lineno, node.name)

    def explain(self, error: Exception, source: str, name: str = "") -> TemplateError:
        """Return what went wrong, and where: in ``source``, which bears ``name``, or in a file that it uses."""
        if isinstance(error, TemplateError) and (error.name or error.line > 1 or error.column > 1):
            return error
        line = 1
        if isinstance(error, TemplateSyntaxError):
            name, line = error.name or name, error.lineno
        else:
            name, line = _place(error, name)
        text, hint = _told(error)
        return _at(text, self._sources.get(name, source), name, line, hint)


def _place(error: Exception, name: str) -> tuple[str, int]:
    """Return the last line of a template that was at work when the error was raised, and of which template."""
    line, traceback = 1, error.__traceback__
    while traceback is not None:
        template = traceback.tb_frame.f_globals.get("__jinja_template__")
        if isinstance(template, jinja2.Template):
            name, line = template.name or "", template.get_corresponding_lineno(traceback.tb_lineno)
        traceback = traceback.tb_next
    return name, line


def _told(error: Exception) -> tuple[str, str]:
    """Return the error in words, and a word of the line at fault."""
    text = str(error)
    if isinstance(error, TemplateError):
        return text, ""
    if isinstance(error, RecursionError):
        return "nests too deeply: make it simpler", ""
    if isinstance(error, jinja2.TemplateError):
        quoted = text.split("'")
        return text.rstrip(".").strip() + ("" if ": " in text else ": see docs/templates.md"), (
            quoted[1] if len(quoted) > 2 else ""  # noqa: PLR2004 - a pair of quotes
        )
    return f"cannot be computed ({type(error).__name__}: {text[:200]}): see docs/templates.md", ""


def _at(problem: str, source: str, name: str, line: int, hint: str) -> TemplateError:
    """Return the error at the line, in the column of ``hint``, or else of the first tag."""
    lines = source.split("\n")
    there = lines[line - 1] if 0 < line <= len(lines) else ""
    found = there.find(hint) if hint else -1
    if found < 0:
        tags = [at for at in (there.find("{{"), there.find("{%")) if at >= 0]
        found = min(tags, default=0)
    return TemplateError(problem, name=name, line=line, column=found + 1)
