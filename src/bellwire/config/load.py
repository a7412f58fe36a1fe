"""Reading a configuration file: a `Config`, or a `ConfigError` with every fault and its place."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from bellwire.config.check_accounts import check_accounts
from bellwire.config.check_channels import check_receivers
from bellwire.config.check_process import check_process
from bellwire.config.document import parse
from bellwire.config.files import FileError, read_bytes
from bellwire.config.finding import Finding
from bellwire.config.overrides import override
from bellwire.config.prepare import prepare
from bellwire.config.rules import RuleFaults, compile_rules
from bellwire.config.secrets import Folders
from bellwire.config.validate import validate
from bellwire.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bellwire.config.places import Document
    from bellwire.config.schema import Config

MAX_BYTES = 1024 * 1024


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """Return the configuration in ``path``, its variables from ``environ``, its secrets from their files."""
    document = parse(_read(path), str(path), environ)
    override(document, environ)
    prepare(document, Folders.of(path, environ))
    config = validate(document)
    if config is not None:
        _report(document, chain(check(config), _rules(config)))
    if document.faults or config is None:
        raise document.error()
    return config


def check(config: Config) -> Iterator[Finding]:
    """Yield what no single value shows: names, references, combinations, files."""
    yield from check_process(config)
    yield from check_accounts(config)
    yield from check_receivers(config)


def _rules(config: Config) -> Iterator[Finding]:
    try:
        compile_rules(config)
    except RuleFaults as error:
        faults = error.faults
    else:
        return
    names = (("receivers",), *(("receivers", index, "name") for index in range(len(config.receivers))))
    for loc, message, offset in faults:
        # only a matcher is a text to count characters in; only a route's receiver rests on the receivers' names
        yield Finding(loc, message, offset if "matchers" in loc else None, names if loc[-1] == "receiver" else ())


def _report(document: Document, findings: Iterator[Finding]) -> None:
    for finding in findings:
        if not any(document.is_broken(loc) for loc in (finding.loc, *finding.rests_on)):
            document.report(finding.loc, finding.message, offset=finding.offset)


def _read(path: Path) -> str:
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
