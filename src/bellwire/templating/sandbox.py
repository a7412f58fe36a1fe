"""Jinja2 where nothing is to be had but values, and every operation is counted.

Stricter than Jinja2's own sandbox: attributes and methods are those that this file lists, every operator, filter, test,
call, loop and piece of output goes through a budget, and nothing is computed while a template is compiled. Escaping is
done here too, instead of by Jinja2's autoescaping, which knows HTML alone: what an expression shows is escaped unless it
is the author's own text.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from jinja2 import ChainableUndefined, StrictUndefined, Undefined, nodes, pass_context
from jinja2.environment import TemplateModule
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, TemplateReference
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace, missing

from bellwire.errors import TemplateError
from bellwire.templating.budget import ITEMS, LONGEST, budget
from bellwire.templating.filters import FILTERS, TESTS
from bellwire.templating.generator import Generator
from bellwire.templating.prose import formatted, joined, time_filter
from bellwire.templating.show import text_of
from bellwire.templating.view import LONGEST_TEXT, AlertView

if TYPE_CHECKING:
    from bellwire.templating.escaping import Safe

_STRING_METHODS = frozenset(
    {"capitalize", "count", "endswith", "find", "isdigit", "lower", "lstrip", "removeprefix", "removesuffix", "rstrip"}
    | {"startswith", "strip", "title", "upper"}
)
_METHODS: tuple[tuple[type, frozenset[str]], ...] = (
    (str, _STRING_METHODS),
    (Mapping, frozenset({"get", "items", "keys", "values"})),
    (datetime, frozenset({"isoformat", "timestamp"})),
    (LoopContext, frozenset({"changed", "cycle"})),
)
_FIELDS: tuple[tuple[type, frozenset[str]], ...] = (
    (AlertView, AlertView.FIELDS),
    (datetime, frozenset({"year", "month", "day", "hour", "minute", "second"})),
    (
        LoopContext,
        frozenset(
            {"depth", "first", "index", "index0", "last", "length", "nextitem", "previtem", "revindex", "revindex0"}
        ),
    ),
)
_SPLITS = 1_000  # pieces of a text
_EACH = "-each"  # a filter's name that no template can write
_OPERATORS = frozenset({"+", "-", "*", "/", "//", "%", "**"})
_BITS = 1024


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name that may have been meant, as a question, else all of them; empty where there are none."""
    known = sorted(known)
    close = difflib.get_close_matches(name[:80], known, 1)
    if close:
        return f": did you mean {close[0]}?"
    return f": choose from {', '.join(known)}" if known else ""


class Method:
    """A method that a template may call."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call


class _Unknown(StrictUndefined):
    """A name or attribute that does not exist; whatever is done with it says so."""

    __slots__ = ()


class Missing(ChainableUndefined):
    """Something that an alert does not have: empty text, and so is all of it."""

    __slots__ = ()


class Sandbox(ImmutableSandboxedEnvironment):
    """Compiles and runs templates for one form of text."""

    code_generator_class = Generator
    intercepted_binops = _OPERATORS

    def __init__(self, form: type[Safe], loader: Any, timezone: str) -> None:
        super().__init__(
            undefined=_Unknown, optimized=False, loader=loader, finalize=_shown, cache_size=-1, auto_reload=False
        )
        self.form = form
        self.filters = {name: _counting(call) for name, call in FILTERS.items()}
        self.filters["time"] = _counting(time_filter(timezone))
        self.filters["escape"] = self.filters["e"] = _counting(lambda value: self.form.escape(text_of(value)))
        self.filters[_EACH] = _each
        self.tests = {name: _counting(call) for name, call in TESTS.items()}
        self.globals = {
            "dict": Method(dict),
            "namespace": Method(Namespace),
            "range": Method(_range),
        }

    # --- while compiling ---------------------------------------------------------------------------------------------

    def _generate(
        self,
        source: nodes.Template,
        name: str | None,
        filename: str | None,
        defer_init: bool = False,  # noqa: FBT001, FBT002 - Jinja2's signature
    ) -> str:
        for loop in source.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, _EACH, [], [], None, None, lineno=loop.lineno)
        return super()._generate(source, name, filename, defer_init)

    # --- while rendering: called by the compiled code ------------------------------------------------------------------

    def literal(self, text: str) -> Safe:
        """Return a text that stands in the template."""
        return self.form(text)

    def joined(self, parts: tuple[Any, ...]) -> str:
        """Return ``a ~ b``."""
        texts = [text_of(part) for part in parts]
        budget().room(sum(map(len, texts)))
        return budget().spend(joined(texts, "".join))

    def counted(self, value: Any) -> Any:
        """Return what an operation of Python's own made."""
        budget().look()
        return budget().spend(value)

    def concat(self, pieces: Iterable[str]) -> Safe:
        """Return what a template, a macro or a block wrote."""
        parts, length = [], 0
        for piece in pieces:
            length += len(piece)
            budget().room(length)
            parts.append(piece)
        return budget().spend(self.form("".join(parts)))

    def _load_template(self, name: str, globals: Any) -> Any:  # noqa: A002 - Jinja2's signature
        budget().step(10)
        return super()._load_template(name, globals)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805, PYI063 - Jinja2's signature: templates may name an argument self
        """Call what may be called: macros, blocks, and the methods listed here."""
        budget().weigh([*args, *kwargs.values()])
        if isinstance(__obj, _Unknown):
            __obj()  # raises, and says what is unknown
        with budget().deeper():
            if isinstance(__obj, Method):
                own = {name: value for name, value in kwargs.items() if name not in _JINJAS_OWN}
                return budget().spend(__obj.call(*args, **own))
            if isinstance(__obj, Macro | BlockReference):
                return budget().spend(__context.call(__obj, *args, **kwargs))
        message = f"calls {_name(__obj)}: only macros, and the methods in docs/templates.md, can be called"
        raise TemplateError(message)

    def getattr(self, obj: Any, attribute: str) -> Any:  # noqa: PLR0911 - a kind of value each
        """Return ``obj.attribute``."""
        budget().step()
        for kind, names in _METHODS:
            if isinstance(obj, kind) and attribute in names:
                return Method(getattr(obj, attribute))
        if isinstance(obj, str) and attribute in _BOUNDED:
            return Method(partial(_BOUNDED[attribute], obj))
        for kind, names in _FIELDS:
            if isinstance(obj, kind):
                return getattr(obj, attribute) if attribute in names else self._nothing(obj, attribute, names)
        if isinstance(obj, Mapping):
            return _value(obj, attribute)
        if isinstance(obj, Missing):
            return obj
        if isinstance(obj, Undefined):
            return getattr(obj, attribute)  # raises, and says what is unknown
        if isinstance(obj, Namespace | TemplateModule | TemplateReference):
            return self._named(obj, attribute)
        # a path of the payload may end early; what Python has there is another matter
        lacks = isinstance(obj, str | int | float | list | tuple | None) and not hasattr(obj, attribute)
        return Missing() if lacks else self._nothing(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return ``obj[argument]``; what is not there is empty text."""
        budget().step()
        if isinstance(obj, Mapping):
            return _value(obj, argument)
        if isinstance(obj, str | list | tuple):
            whole = isinstance(argument, int) and -len(obj) <= argument < len(obj)
            return obj[argument] if whole else Missing()
        if isinstance(obj, Missing):
            return obj
        return self.getattr(obj, argument) if isinstance(argument, str) else self._nothing(obj, repr(argument))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002 - Jinja2's signature
        """Return ``left operator right``, asked for before it is made."""
        if operator == "%" and isinstance(left, str):
            return budget().spend(formatted(left, right if isinstance(right, tuple) else (right,)))
        if operator == "*":
            _check_product(left, right)
        if operator == "**":
            _check_power(left, right)
        if operator == "+" and isinstance(left, list | tuple | str) and isinstance(right, list | tuple | str):
            budget().room(len(left) + len(right))
        return budget().spend(self.binop_table[operator](left, right))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ARG002 - Jinja2's signature
        """Refuse whatever does not come by `getattr`."""
        return False

    def is_safe_callable(self, obj: Any) -> bool:
        """Refuse whatever does not come by `call`."""
        return isinstance(obj, Method | Macro | BlockReference)

    def _named(self, obj: Any, attribute: str) -> Any:
        if attribute.startswith("_"):
            return self._nothing(obj, attribute)
        try:
            return obj[attribute] if isinstance(obj, TemplateReference) else getattr(obj, attribute)
        except (AttributeError, KeyError):
            return self._nothing(obj, attribute)

    def _nothing(self, obj: Any, attribute: str, known: Iterable[str] = ()) -> Undefined:
        return self.undefined(f"{_name(obj)} has no {str(attribute)[:80]!r}{nearest(attribute, known)}")


_WHAT: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (AlertView, "an alert"),
    (str, "a text"),
    ((int, float), "a number"),
    ((list, tuple, range), "a list"),
    (Mapping, "a mapping"),
    (Missing, "something that is not there"),
    (Method, "a method"),
    (LoopContext, "loop"),
    (TemplateReference, "self"),
    (TemplateModule, "the template"),
    (Namespace, "the namespace"),
)
_JINJAS_OWN = frozenset({"_loop_vars", "_block_vars", "caller"})
"""Arguments that compiled code adds to calls."""


def _name(value: Any) -> str:
    return next((name for kind, name in _WHAT if isinstance(value, kind)), f"a {type(value).__name__.lower()}")


@pass_context
def _shown(context: Context, value: Any) -> str:
    """Return what an expression shows, escaped unless it is the author's own."""
    form = context.environment.form  # type: ignore[attr-defined]  # it is a Sandbox
    shown: str = budget().spend(form.escape(text_of(value)))
    return shown


def _counting(call: Callable[..., Any]) -> Callable[..., Any]:
    def counted(*args: Any, **kwargs: Any) -> Any:
        allowance = budget()
        allowance.look()
        return allowance.spend(call(*args, **kwargs))

    return counted


def _each(value: Any) -> Iterator[Any]:
    """Yield what a loop goes through, a step each."""
    if isinstance(value, Undefined) and not isinstance(value, _Unknown):
        return
    if value is not None and not isinstance(value, str | list | tuple | range | Mapping | Undefined):
        value = list(value) if type(value) in _DICT_VIEWS else _no_list(value)
    allowance = budget()
    for item in () if value is None else value:
        allowance.step()
        yield item


_DICT_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))


def _no_list(value: Any) -> Any:
    message = f"loops over {_name(value)}: loop over a list or a mapping"
    raise TemplateError(message)


def _range(*bounds: int) -> range:
    numbers = range(*bounds)
    if max(abs(numbers.start), abs(numbers.stop)) > LONGEST or len(numbers) > ITEMS:
        message = f"makes a range of more than {ITEMS:,} numbers: use fewer"
        raise TemplateError(message)
    return numbers


def _value(mapping: Mapping[Any, Any], key: Any) -> Any:
    value = mapping.get(key, missing) if isinstance(key, str | int) else missing
    if value is missing:
        return Missing()
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return f"{value[:LONGEST_TEXT]} … [cut, {len(value):,} characters]"
    return value


def _check_product(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        if left.bit_length() + right.bit_length() > _BITS:
            message = "makes a number of more than 300 digits: use smaller ones"
            raise TemplateError(message)
    elif isinstance(left, str) and isinstance(right, int):
        budget().room(len(left) * max(0, right))
    elif isinstance(right, str) and isinstance(left, int):
        budget().room(len(right) * max(0, left))
    elif not isinstance(left, int | float) or not isinstance(right, int | float):
        message = f"multiplies {_name(left)} by {_name(right)}: use numbers"
        raise TemplateError(message)


def _check_power(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() * abs(right) > _BITS:
        message = "makes a number of more than 300 digits: use smaller ones"
        raise TemplateError(message)


def _split(text: str, separator: str | None = None, most: int = _SPLITS) -> list[str]:
    return list(text.split(separator, min(int(most), _SPLITS) if int(most) >= 0 else _SPLITS))


_BOUNDED: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "split": _split,
        "splitlines": lambda text: list(text.split("\n", _SPLITS)),
        "replace": FILTERS["replace"],
        "join": lambda text, value: FILTERS["join"](value, text),
    }
)
