"""The JSON Schema of the configuration, for editors."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from tocsin.api.control.settings import ControlSettings
from tocsin.api.settings import ApiSettings, ConsoleSettings
from tocsin.app.loading import EntryType, Registries
from tocsin.app.settings import AreaSettings, DeviceSettings, GatewaySettings, LivenessSettings, RetentionSettings
from tocsin.config.modes import parts

_ONE: dict[str, type[BaseModel]] = {
    "gateway": GatewaySettings,
    "api": ApiSettings,
    "console": ConsoleSettings,
    "control": ControlSettings,
    "retention": RetentionSettings,
    "liveness": LivenessSettings,
}
_MANY: dict[str, type[BaseModel]] = {"areas": AreaSettings, "devices": DeviceSettings}


def configuration_schema(registries: Registries) -> dict[str, Any]:
    """JSON Schema (2020-12) of the whole file, with every type of what it lists."""
    typed = {
        "sources": registries.sources,
        "destinations": registries.destinations,
        "systems": registries.systems,
        "evidence": registries.evidence,
    }
    models = [*_ONE.values(), *_MANY.values(), *(each.settings for types in typed.values() for each in types.values())]
    refs, shared = models_json_schema([(model, "validation") for model in models], title="Tocsin configuration")
    by_model = {model: refs[model, "validation"] for model in models}
    properties: dict[str, Any] = {name: by_model[model] for name, model in _ONE.items()}
    properties |= {name: {"type": "array", "items": by_model[model]} for name, model in _MANY.items()}
    properties |= {name: {"type": "array", "items": _one_of(types, by_model)} for name, types in typed.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tocsin configuration",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": _written(shared.get("$defs", {})),
    }


def _written(node: Any) -> Any:
    """Durations are written as text, so their defaults are shown as text too: 90.0 becomes "90s"."""
    if isinstance(node, list):
        return [_written(item) for item in node]
    if not isinstance(node, dict):
        return node
    default = node.get("default")
    as_text = isinstance(default, float) and "string" in _types(node)
    return {key: f"{default:g}s" if key == "default" and as_text else _written(item) for key, item in node.items()}


def _types(node: dict[str, Any]) -> list[Any]:
    return [node.get("type"), *(each.get("type") for each in node.get("anyOf", []))]


def _one_of(types: Mapping[str, EntryType], by_model: Mapping[type[BaseModel], Any]) -> dict[str, Any]:
    """The entry's `type` decides which table it is, and its `mode` where a type has several."""
    choices = [{"allOf": [by_model[each.settings], _said(name)]} for name, each in sorted(types.items())]
    return {"oneOf": choices} if choices else {}


def _said(key: str) -> dict[str, Any]:
    type_, mode = parts(key)
    said = {"type": {"const": type_}, **({"mode": {"const": mode}} if mode else {})}
    return {"properties": said, "required": list(said)}
