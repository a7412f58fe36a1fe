"""An environment that holds the wheel and what the wheel declares, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9._-]+")


def make_environment(folder: Path, wheel: Path) -> Path:
    """Install the wheel into a new environment in ``folder``; return the folder of its programs.

    Its dependencies are those of the environment that runs the tests, linked one by one: nothing is fetched, and what the
    wheel does not ask for is not there.
    """
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    programs = folder / "bin"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(programs / "python")]
    subprocess.run(  # noqa: S603 - the tests' own command
        [*pip, "install", "--no-deps", "--no-index", "--quiet", str(wheel)], check=True, timeout=100
    )
    (site,) = folder.glob("lib/python*/site-packages")
    asked = next(iter(metadata.distributions(name="bellwire", path=[str(site)]))).requires or []
    for distribution in _closure(asked):
        _link(distribution, site)
    return programs


def _closure(requirements: list[str]) -> list[metadata.Distribution]:
    """Return the installed distributions that the requirements lead to, extras left out."""
    found: dict[str, metadata.Distribution] = {}
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        if "extra ==" in requirement:
            continue
        match = _NAME.match(requirement)
        assert match, requirement
        name = re.sub(r"[-_.]+", "-", match[0]).lower()
        if name in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            assert ";" in requirement, f"{requirement} is not installed"  # for another platform or version
            continue
        waiting += found[name].requires or []
    return list(found.values())


def _link(distribution: metadata.Distribution, site: Path) -> None:
    for name in {Path(file).parts[0] for file in distribution.files or () if Path(file).parts[0] != ".."}:
        target, link = Path(str(distribution.locate_file(name))), site / name
        if not target.exists() or name == "__pycache__":
            continue
        if target.is_dir() and link.is_dir():  # a namespace that several share
            for each in target.iterdir():
                if not (link / each.name).exists():
                    (link / each.name).symlink_to(each)
        elif not link.exists():
            link.symlink_to(target)


def build_wheel(folder: Path) -> Path:
    """Build the wheel of the checkout into ``folder``."""
    root = Path(__file__).parents[1]
    subprocess.run(  # noqa: S603 - the tests' own command
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=root,
        check=True,
        capture_output=True,
        timeout=100,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel
