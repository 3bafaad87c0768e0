"""Writes docs/reference/ from the program itself, so that no option, command, route or metric goes undocumented.

Run `python docs/generate.py`; `make check` demands that the pages are as this would write them.
"""

import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import click
import typer
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tocsin.api.control.settings import ControlSettings
from tocsin.api.settings import ApiSettings, ConsoleSettings
from tocsin.app.settings import AreaSettings, DeviceSettings, GatewaySettings, LivenessSettings, RetentionSettings
from tocsin.cli.main import app
from tocsin.config.fields import AesKey, Duration, Secret, Settings
from tocsin.config.modes import parts as mode_parts
from tocsin.destinations.registry import DESTINATION_TYPES
from tocsin.evidence.types import EVIDENCE_TYPES
from tocsin.sources.registry import SOURCE_TYPES
from tocsin.systems.registry import SYSTEM_TYPES
from tocsin.telemetry.metrics import Metrics

REFERENCE = Path(__file__).parent / "reference"
HEAD = "<!-- Written by docs/generate.py. Change the program, then run it again. -->\n\n"


def pages() -> dict[str, str]:
    """File name to text."""
    return {"configuration.md": configuration(), "cli.md": commands(), "metrics.md": metrics()}


def configuration() -> str:
    parts = [HEAD, "# Configuration\n\n"]
    parts.append(
        'TOML. A secret is a string, `{ env = "NAME" }` or `{ file = "path" }`; a key is `{ hex = … }` or\n'
        '`{ text = … }`; durations are strings such as `"90s"`. Account numbers and zones are strings, in quotes.\n'
        "Unknown keys are refused.\n"
    )
    for title, model in (
        ("[gateway]", GatewaySettings),
        ("[api]", ApiSettings),
        ("[console]", ConsoleSettings),
        ("[control]", ControlSettings),
        ("[retention]", RetentionSettings),
        ("[liveness]", LivenessSettings),
        ("[[areas]]", AreaSettings),
        ("[[devices]]", DeviceSettings),
    ):
        parts += [f"\n## `{title}`\n\n", *table(model)]
    for kind in SOURCE_TYPES.values():
        parts += [f'\n## `[[sources]]` with `type = "{kind.name}"`: {kind.title}\n\n', *table(kind.settings)]
    for type_ in DESTINATION_TYPES.values():
        name, mode = mode_parts(type_.name)
        told = f'`type = "{name}"`' + (f' and `mode = "{mode}"`' if mode else "")
        parts += [f"\n## `[[destinations]]` with {told}: {type_.title}\n\n{type_.published}\n\n"]
        parts += table(type_.settings)
    for system in SYSTEM_TYPES.values():
        parts += [f'\n## `[[systems]]` with `type = "{system.name}"`: {system.title}\n\n{system.published}\n\n']
        parts += table(system.settings)
    for registry in EVIDENCE_TYPES.values():
        parts += [f'\n## `[[evidence]]` with `type = "{registry.name}"`: {registry.title}\n\n{registry.published}\n\n']
        parts += table(registry.settings)
    return "".join(parts)


def table(model: type[Settings]) -> Iterator[str]:
    yield "| option | form | default | meaning |\n|---|---|---|---|\n"
    yield from rows(model, "")


def rows(model: type[Settings], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = submodel(field.annotation)
        kind = "duration" if is_duration(field) else form(field.annotation)
        yield f"| `{prefix}{name}` | {kind} | {default(field)} | {cell(field.description or '')} |\n"
        if inner is not None:
            yield from rows(inner, f"{prefix}{name}.")


def submodel(annotation: Any) -> type[Settings] | None:
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, Settings):
            return part
    return None


NAMES = {str: "text", int: "number", float: "number", bool: "true or false", Secret: "secret", AesKey: "key"}


def form(annotation: Any) -> str:
    if annotation in NAMES:
        return NAMES[annotation]
    origin = get_origin(annotation)
    if origin is Literal:
        return cell(" or ".join(f'`"{value}"`' for value in get_args(annotation)))
    if origin in (Union, types.UnionType):
        return " or ".join(form(part) for part in get_args(annotation) if part is not type(None))
    if origin in (list, tuple, set, frozenset):
        return f"list of {form(get_args(annotation)[0])}"
    if origin is dict:
        return "table"
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return "table"
    arguments = get_args(annotation)
    return form(arguments[0]) if arguments else cell(getattr(annotation, "__name__", str(annotation)))


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is PydanticUndefined or value is None or isinstance(value, Settings):
        return ""
    if isinstance(value, float) and is_duration(field):
        return f'`"{duration(value)}"`'
    if isinstance(value, str):
        return f'`"{value}"`' if value else ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`" if value not in ([], {}, ()) else ""


def is_duration(field: FieldInfo) -> bool:
    return any(meta in field.metadata for meta in Duration.__metadata__) or "Duration" in str(field.annotation)


def duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s" if seconds >= 1 or seconds == 0 else f"{seconds * 1000:g}ms"


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def commands() -> str:
    root = typer.main.get_command(app)
    assert hasattr(root, "commands")
    parts = [HEAD, "# Commands\n\nExit codes: 0 fine, 1 it ran and something failed, 2 usage or configuration.\n"]
    parts += _command("tocsin", root)
    return "".join(parts)


def _command(path: str, command: Any) -> Iterator[str]:
    yield f"\n## `{path}`\n\n{cleaned(command.help or '')}\n"
    options = [parameter for parameter in command.params if getattr(parameter, "help", None)]
    if options:
        yield "\n| option | meaning |\n|---|---|\n"
        for option in options:
            names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
            yield f"| {names} | {cell(option.help)} |\n"
    for name, child in sorted(getattr(command, "commands", {}).items()):
        yield from _command(f"{path} {name}", child)


def cleaned(text: str) -> str:
    return click.unstyle(text).replace("\f", "").strip()


def metrics() -> str:
    parts = [HEAD, "# Metrics\n\nPrometheus text at `/metrics`.\n\n| metric | labels | meaning |\n|---|---|---|\n"]
    for family in Metrics().registry._collector_to_names:
        name, kind = family._name, family._type
        suffix = "_total" if kind == "counter" else ""
        labels = ", ".join(family._labelnames)
        parts.append(f"| `{name}{suffix}` | {labels} | {family._documentation} ({kind}) |\n")
    return "".join(parts)


def main() -> int:
    REFERENCE.mkdir(exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
