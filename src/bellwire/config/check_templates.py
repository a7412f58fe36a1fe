"""Template files, read with the configuration; and templates, each tried with an alert of every configured API."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING

from bellwire.config.files import FileError, read_bytes
from bellwire.config.finding import Finding
from bellwire.config.samples import sample_messages, samples_of
from bellwire.errors import Fault, TemplateError
from bellwire.templating.stationery import FORMS, Stationery, TemplateFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bellwire.config.places import Loc
    from bellwire.config.schema import ChannelConfig, Config
    from bellwire.templating.escaping import Safe

_MOST_BYTES = 64 * 1024
_MOST_FILES = 200


def read_templates(config: Config, folder: Path) -> tuple[tuple[TemplateFile, ...], list[Finding | Fault]]:
    """Return the files that ``templates`` names, patterns being relative to ``folder``, and what is wrong with them."""
    found: dict[str, TemplateFile] = {}
    problems: list[Finding | Fault] = []
    for index, pattern in enumerate(config.templates):
        loc: Loc = ("templates", index)
        paths = sorted(folder / name for name in glob.glob(pattern, root_dir=folder, recursive=True))  # noqa: PTH207 - pathlib takes no absolute pattern
        files = [path for path in paths if not path.is_dir()]
        if not files:
            problems.append(Finding(loc, f"matches no file in {folder}: create one, or remove the pattern"))
        if len(files) > _MOST_FILES:
            problems.append(Finding(loc, f"matches more than {_MOST_FILES} files: name fewer"))
        for path in files[:_MOST_FILES]:
            if path.name in found and found[path.name].path != str(path):
                message = f"{path.name} stands in {path.parent} and in {Path(found[path.name].path).parent}: rename one"
                problems.append(Finding(loc, message))
                continue
            try:
                source = read_bytes(path, _MOST_BYTES).decode("utf-8-sig")
            except FileError as error:
                problems.append(_of_file(str(path), str(error)))
            except UnicodeDecodeError:
                problems.append(_of_file(str(path), "is no UTF-8 text: save it as UTF-8"))
            else:
                found[path.name] = TemplateFile(name=path.name, path=str(path), source=source)
    return tuple(found.values()), problems


def check_templates(config: Config) -> Iterator[Finding | Fault]:
    """Yield what is wrong with the templates of files and channels. Jinja2 is only imported where there is one."""
    stationery = Stationery(
        external_url=config.web.external_url, timezone=config.global_.timezone, files=config.template_files
    )
    paths = {file.name: file.path for file in stationery.files}
    if stationery.files:
        from bellwire.templating.template import check_files  # noqa: PLC0415 - see above

        faulty = [_fault(error, paths) for error in check_files(FORMS["webhook"].text, stationery)]
        if faulty:  # templates that import them would only say so again
            yield from dict.fromkeys(faulty)
            return
    for loc, receiver, source, form in _templates(config):
        error = _tried(config, receiver, (source, form, stationery))
        if error is not None and error.name:
            yield _fault(error, paths)
        elif error is not None:
            yield Finding(loc, str(error), _offset(source, error))


def _templates(config: Config) -> Iterator[tuple[Loc, str, str, type[Safe]]]:
    """Yield every template of a channel: its place, its receiver, its text, its form."""
    for at, receiver in enumerate(config.receivers):
        for kind, forms in FORMS.items():
            channels: list[ChannelConfig] = getattr(receiver, f"{kind}_configs")
            for index, channel in enumerate(channels):
                loc = ("receivers", at, f"{kind}_configs", index)
                if channel.title:
                    yield (*loc, "title"), receiver.name, channel.title, forms.title
                if channel.text:
                    yield (*loc, "text"), receiver.name, channel.text, forms.text


def _tried(config: Config, receiver: str, template: tuple[str, type[Safe], Stationery]) -> TemplateError | None:
    """Return what goes wrong with a template, first for one of the samples."""
    from bellwire.templating.template import compile_template  # noqa: PLC0415 - see check_templates

    try:
        compiled = compile_template(*template)
    except TemplateError as error:
        return error
    for api, alert in samples_of(config).items():
        for message in sample_messages(alert, receiver):
            try:
                compiled.render(message)
            except TemplateError as error:
                told = f"{error} (found with a sample of {api}, kind {message.kind.value})"
                return TemplateError(told, name=error.name, line=error.line, column=error.column)
    return None


def _fault(error: TemplateError, paths: dict[str, str]) -> Fault:
    return Fault(
        file=paths.get(error.name, error.name), line=error.line, column=error.column, path="", message=str(error)
    )


def _of_file(path: str, message: str) -> Fault:
    return Fault(file=path, line=1, column=1, path="", message=message)


def _offset(source: str, error: TemplateError) -> int:
    """Return how many characters into the template an error is."""
    lines = source.split("\n")[: error.line - 1]
    return sum(len(line) + 1 for line in lines) + error.column - 1
