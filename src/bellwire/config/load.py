"""Reading a configuration file: a `Config`, or a `ConfigError` with every fault and its place."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from bellwire.config.check_accounts import check_accounts
from bellwire.config.check_channels import check_receivers
from bellwire.config.check_meta import check_meta
from bellwire.config.check_process import check_durations, check_process
from bellwire.config.check_templates import check_templates, read_templates
from bellwire.config.check_tests import check_tests
from bellwire.config.document import parse
from bellwire.config.files import FileError, read_bytes
from bellwire.config.finding import Finding
from bellwire.config.overrides import override
from bellwire.config.prepare import prepare
from bellwire.config.rules import RuleFaults, compile_rules
from bellwire.config.secrets import Folders
from bellwire.config.shape import FILE
from bellwire.config.validate import validate
from bellwire.config.warnings import warnings_of
from bellwire.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sized
    from pathlib import Path

    from bellwire.config.places import Document, Loc
    from bellwire.config.schema import Config, RuleTest

MAX_BYTES = 4 * 1024 * 1024  # ten thousand accounts

_COUNTED = {"matchers", "source_matchers", "target_matchers", "digest"}  # texts in which characters are counted
_TAKES_INTERVALS = {"active_time_intervals", "mute_time_intervals"}


def load(path: Path, environ: Mapping[str, str], needed: Collection[Loc] | None = None) -> Config:
    """Return the configuration in ``path``, its variables from ``environ``, its secrets from their files.

    With ``needed`` only these secrets must be there, their files or variables, and no other file beside the configuration:
    `Config.unread` says what is not. Nothing can be sent then, and no vendor asked.
    """
    return _load(path, environ, needed)[0]


def examine(path: Path, environ: Mapping[str, str]) -> tuple[Config, tuple[Fault, ...]]:
    """Return the configuration, and what in it is legal and surely wrong. Raises `ConfigError` as `load` does."""
    config, document = _load(path, environ)
    _report(document, warnings_of(config))
    return config, document.error().faults


def _load(path: Path, environ: Mapping[str, str], needed: Collection[Loc] | None = None) -> tuple[Config, Document]:
    document = parse(read_text(path), str(path), environ)
    override(document, environ)
    prepare(document, Folders.of(path, environ), needed)
    config = validate(document)
    if config is not None:
        files, problems = read_templates(config, path.absolute().parent)
        config = config.with_template_files(files)
        config = config.with_unread(tuple(document.unread))
        found = check(config) if needed is None else (each for each in check(config) if not _of_file(each))
        _report(document, chain(found, _rules(config), problems or check_templates(config)))
    if document.faults or config is None:
        raise document.error()
    return config, document


def check(config: Config) -> Iterator[Finding]:
    """Yield what no single value shows: names, references, combinations, files."""
    yield from check_process(config)
    yield from check_meta(config)
    yield from check_accounts(config)
    yield from check_receivers(config)
    yield from check_tests(config, config.tests)


def is_configuration(path: Path, environ: Mapping[str, str]) -> bool:
    """Return whether the file says who gets what, as no file of tests does. Raises `ConfigError` if it cannot be read."""
    return "route" in parse(read_text(path), str(path), environ, list_under="tests").data


def load_tests(path: Path, environ: Mapping[str, str], config: Config) -> list[RuleTest]:
    """Return the tests in a file of their own, a list or a mapping with ``tests``; they are tests of ``config``."""
    document = parse(read_text(path), str(path), environ, list_under="tests")
    for key in [key for key in document.data if key != "tests"]:
        document.report((key,), "is no test: a file of tests holds a list, or `tests:` alone", key=True)
        del document.data[key]
    prepare(document, Folders.of(path, environ))
    # what a configuration cannot be without
    held = validate(replace(document, data=document.data | {"route": {}, "receivers": []}))
    if held is not None:
        _report(document, chain(check_durations(held), check_tests(config, held.tests)))
    if document.faults or held is None:
        raise document.error()
    return held.tests


def _of_file(finding: Finding) -> bool:
    """Return whether it is about a key or certificate in a file of its own."""
    return isinstance(key := finding.loc[-1], str) and key.endswith(FILE)


def _rules(config: Config) -> Iterator[Finding]:
    try:
        compile_rules(config)
    except RuleFaults as error:
        faults = error.faults
    else:
        return
    receivers, intervals = _names("receivers", config.receivers), _names("time_intervals", config.time_intervals)
    for loc, message, offset in faults:
        names = receivers if loc[-1] == "receiver" else intervals if _TAKES_INTERVALS.intersection(loc) else ()
        yield Finding(loc, message, offset if _COUNTED.intersection(loc) else None, names)


def _names(key: str, named: Sized) -> tuple[Loc, ...]:
    """Return the places that must be sound before a name can be called unknown."""
    return ((key,), *((key, index, "name") for index in range(len(named))))


def _report(document: Document, findings: Iterator[Finding | Fault]) -> None:
    for finding in findings:
        if isinstance(finding, Fault):  # of another file
            document.faults.append(finding)
        elif not any(document.is_broken(loc) for loc in (finding.loc, *finding.rests_on)):
            quote = bool(_COUNTED.intersection(finding.loc))
            document.report(finding.loc, finding.message, offset=finding.offset, quote=quote)


def read_text(path: Path) -> str:
    """Return the text of a configuration file. Raises `ConfigError`."""
    try:
        content = read_bytes(path, MAX_BYTES)
    except FileError as error:
        raise ConfigError([Fault(file=str(path), line=1, column=1, path="", message=str(error))]) from None
    return _decode(content, str(path))


def _decode(content: bytes, file: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        start = error.start
    # out here, so that the error, which holds the whole file, is no context of ours
    before = content[:start].decode("utf-8", "replace")
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    message = "is no UTF-8 text: save it as UTF-8"
    raise ConfigError([Fault(file=file, line=line, column=column, path="", message=message)])
