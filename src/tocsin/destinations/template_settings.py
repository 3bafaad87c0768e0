"""Settings that hold a template, or name the file it stands in: read and checked when the configuration is loaded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import PlainValidator

from tocsin.destinations.escaping import Escape
from tocsin.destinations.rehearsal import tried
from tocsin.destinations.templates import LONGEST_OUTPUT, LONGEST_TEMPLATE, Template, TemplateProblem, compiled


def written(escape: Escape, more: frozenset[str] = frozenset()) -> PlainValidator:
    """For a setting that holds the template: `subject: Annotated[Template | None, written("line")]`."""

    def read(value: object) -> Template:
        return _usable(compiled(_text(value), escape, "the template", more), more)

    return _validator(read)


def in_file(escape: Escape, more: frozenset[str] = frozenset()) -> PlainValidator:
    """For a setting that names the file: `template_file: Annotated[Template | None, in_file("line")]`.

    Its name ends in `_file`, so that it is relative to the configuration's folder. One line end at the end of the file
    does not belong to the message.
    """

    def read(value: object) -> Template:
        return _usable(compiled(_content(_text(value)), escape, str(value), more), more)

    return _validator(read)


def chosen(inline: Template | None, from_file: Template | None, built_in: Template) -> Template:
    """The engineer's own template, else the built-in one. Raises ValueError when both are given."""
    if inline is not None and from_file is not None:
        raise ValueError("give the template itself or its file, not both")
    return inline or from_file or built_in


def _usable(template: Template, more: frozenset[str]) -> Template:
    """Raises TemplateProblem."""
    if not tried(template, dict.fromkeys(more, "1")):
        raise TemplateProblem(template.name, 1, f"makes a message of more than {LONGEST_OUTPUT} characters")
    return template


def _validator(read: Callable[[object], Template]) -> PlainValidator:
    return PlainValidator(read, json_schema_input_type=str)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("text is expected here")
    return value


def _content(name: str) -> str:
    try:
        with Path(name).open("rb") as file:
            data = file.read(4 * LONGEST_TEMPLATE + 1)
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise ValueError(f"the file {name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{name}, line {line}: is not UTF-8 text; save the file as UTF-8") from None
    return text.removesuffix("\n")
