"""Many tests, one after the other, and their results for machines."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from bellwire.errors import BellwireError
from bellwire.rehearsal.judging import Difference, differences
from bellwire.rehearsal.play import play
from bellwire.rehearsal.stage import theatre_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from bellwire.config.schema import Config, RuleTest


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What came of one test of a file; ``seconds`` is how long it took."""

    file: str
    name: str
    differences: Sequence[Difference]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether all was as expected."""
        return not self.differences


async def run_tests(config: Config, tests: Iterable[tuple[str, RuleTest]]) -> AsyncIterator[Result]:
    """Run each test (with its file) on a ledger of its own, and yield what came of it."""
    async with theatre_of(config) as theatre:
        for file, test in tests:
            began = time.monotonic()
            try:
                found = differences(test.expect, await play(theatre, test))
            except BellwireError as error:
                found = [Difference(key="errors", expected=(), found=(str(error),))]
            yield Result(file=file, name=test.name, differences=found, seconds=time.monotonic() - began)


def junit(results: Sequence[Result]) -> bytes:
    """Return the results as JUnit's XML, a suite for each file."""
    root = ET.Element("testsuites")
    for file in dict.fromkeys(result.file for result in results):
        members = [result for result in results if result.file == file]
        suite = ET.SubElement(root, "testsuite", _counts(members) | {"name": file})
        for result in members:
            case = ET.SubElement(
                suite, "testcase", {"classname": file, "name": _xml(result.name), "time": f"{result.seconds:.3f}"}
            )
            if not result.passed:
                keys = ", ".join(each.key for each in result.differences)
                failure = ET.SubElement(case, "failure", {"message": f"not as expected: {keys}", "type": "difference"})
                failure.text = _xml(
                    "\n".join(line for each in result.differences for line in (each.key, *each.lines()))
                )
    for name, value in _counts(results).items():
        root.set(name, value)
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _counts(results: Sequence[Result]) -> dict[str, str]:
    failed = sum(not result.passed for result in results)
    seconds = sum(result.seconds for result in results)
    return {"tests": str(len(results)), "failures": str(failed), "errors": "0", "time": f"{seconds:.3f}"}


def _xml(text: str) -> str:
    """Return the text without what XML cannot hold."""
    return "".join(each if each in "\t\n\r" or each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
