"""``bellwire test``: runs the tests of the rules."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bellwire.cli.errors import BAD_CONFIGURATION, NO_SECRETS, configured
from bellwire.cli.printing import fail, plain, print_json, say

if TYPE_CHECKING:
    from bellwire.config.schema import Config, RuleTest
    from bellwire.errors import Fault
    from bellwire.rehearsal.suite import Result

_COLOURS = {"-": "red", "+": "green"}


@click.command("test")
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--config", "option", metavar="FILE", help="The configuration; else $BELLWIRE_CONFIG, else ./bellwire.yaml."
)
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write the results as JUnit's XML too.")
@click.option("--json", "as_json", is_flag=True, help="Print all results as one array of objects.")
def test(files: tuple[Path, ...], option: str | None, junit: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click's way
    """Run the tests of the configuration, or those of other FILEs: each holds a list of tests, or `tests:` alone.

    A single FILE that is a whole configuration stands for `--config FILE`, unless that is given.

    Alerts are made up, go through the rules and the ledger on a clock of their own, and are sent to nobody. Exits 1 if a
    test finds something else than it expects.
    """
    if option is None and len(files) == 1 and _is_whole(files[0]):
        option, files = str(files[0]), ()
    config, _ = configured(option, NO_SECRETS)
    tests = _tests(config, option, files)
    if not tests:
        fail("there are no tests: add `tests:` to the configuration, or name files of tests")
    _quiet()
    results = asyncio.run(_run(config, tests, quiet=as_json))
    if junit is not None:
        _write_junit(results, junit)
    if as_json:
        print_json([_fields(result) for result in results])
    else:
        _sum_up(results)
    sys.exit(0 if all(result.passed for result in results) else 1)


def _is_whole(file: Path) -> bool:
    """Return whether the file is a configuration with its tests, rather than tests for one."""
    from bellwire.config.load import is_configuration  # noqa: PLC0415 - a bad option is said at once
    from bellwire.errors import ConfigError  # noqa: PLC0415

    try:
        return is_configuration(file, os.environ)
    except ConfigError:  # which is said where it is read as what it should be
        return False


def _tests(config: Config, option: str | None, files: tuple[Path, ...]) -> list[tuple[str, RuleTest]]:
    """Return each test with the file that it stands in; exit 78 if a file cannot be used."""
    from bellwire.config.find import find_config  # noqa: PLC0415 - a bad configuration is said at once
    from bellwire.config.load import load_tests  # noqa: PLC0415
    from bellwire.errors import ConfigError  # noqa: PLC0415

    if not files:
        path = str(find_config(option, os.environ, Path()))
        return [(path, each) for each in config.tests]
    found: list[tuple[str, RuleTest]] = []
    faults: list[Fault] = []
    for file in files:
        try:
            found += [(str(file), each) for each in load_tests(file, os.environ, config)]
        except ConfigError as error:
            faults += error.faults
    for fault in faults:
        click.echo(str(fault), err=True)
    if faults:
        sys.exit(BAD_CONFIGURATION)
    return found


def _quiet() -> None:
    """Keep what a daemon would log to ourselves: what matters of it is in the results."""
    import logging  # noqa: PLC0415 - as above

    import structlog  # noqa: PLC0415

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


async def _run(config: Config, tests: list[tuple[str, RuleTest]], *, quiet: bool) -> list[Result]:
    from bellwire.rehearsal.suite import run_tests  # noqa: PLC0415 - as above

    results = []
    async for result in run_tests(config, tests):
        results.append(result)
        if not quiet:
            _tell(result)
    return results


def _tell(result: Result) -> None:
    verdict = click.style("ok  ", fg="green") if result.passed else click.style("FAIL", fg="red", bold=True)
    say(f"{verdict}  {plain(result.name)}")
    for each in result.differences:
        say(f"        {click.style(each.key, bold=True)}")
        for line in each.lines():
            say(click.style(f"          {line[:2]}{plain(line[2:])}", fg=_COLOURS.get(line[0])))


def _sum_up(results: list[Result]) -> None:
    failed = sum(not result.passed for result in results)
    seconds = sum(result.seconds for result in results)
    say()
    tests = f"{len(results)} test{'' if len(results) == 1 else 's'}"
    if failed:
        say(click.style(f"{tests}, {failed} failed, {seconds:.1f} s    - expected  + found", fg="red"))
    else:
        say(click.style(f"{tests}, all as expected, {seconds:.1f} s", fg="green"))


def _write_junit(results: list[Result], path: Path) -> None:
    from bellwire.rehearsal.suite import junit  # noqa: PLC0415 - as above

    try:
        path.write_bytes(junit(results))
    except OSError as error:
        fail(f"{path} cannot be written ({error.strerror})")


def _fields(result: Result) -> dict[str, Any]:
    return {
        "file": result.file,
        "name": result.name,
        "passed": result.passed,
        "seconds": round(result.seconds, 3),
        "differences": [
            {"key": each.key, "expected": list(each.expected), "found": list(each.found)} for each in result.differences
        ],
    }
