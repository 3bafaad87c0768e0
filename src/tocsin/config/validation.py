"""From what pydantic objects to, to sentences a technician can act on. All problems of a table, not only the first."""

import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tocsin.config.document import Document
from tocsin.config.fields import WRONG_SETTING
from tocsin.config.masking import is_secret
from tocsin.config.positions import KeyPath
from tocsin.config.problems import Problem, did_you_mean

Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], data: Any, document: Document, path: KeyPath) -> tuple[Model | None, list[Problem]]:
    """The table at `path` as its model, or None and why not. `data` is the table with its file names resolved."""
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    found = [_problem(model, detail, data, document, path) for detail in details]
    return None, _merged(found)


def _problem(model: type[BaseModel], detail: ErrorDetails, data: Any, document: Document, path: KeyPath) -> Problem:
    missing = detail["type"] == "missing"
    place = _place(detail["loc"], data, missing)
    value = None if missing else _value(data, place)
    message, hint = _words(detail, _models_at(model, detail["loc"][:-1]), (*path, *place), value)
    printable = None if isinstance(value, dict) and not _is_reference(value) else value
    if detail["type"] == "extra_forbidden":
        printable = None  # a misspelt name may hide a secret
    if detail["type"] in ("missing", "string_pattern_mismatch"):
        hint = _description(model, detail["loc"])
    return document.problem((*path, *place), message, hint, value=printable)


def _place(loc: Iterable[str | int], data: Any, missing: bool) -> KeyPath:
    """pydantic's location without the names of union branches: only keys that are in the data, or are missing."""
    loc = list(loc)
    place: KeyPath = ()
    for number, key in enumerate(loc):
        if _has(data, key):
            place, data = (*place, key), data[key]
        elif missing and number == len(loc) - 1:
            place = (*place, key)
    return place


def _has(data: Any, key: str | int) -> bool:
    if isinstance(data, list):
        return isinstance(key, int) and key < len(data)
    return isinstance(data, dict) and key in data


def _value(data: Any, place: KeyPath) -> Any:
    for key in place:
        data = data[key]
    return data


def _is_reference(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in ("env", "file")


def _merged(problems: Sequence[Problem]) -> list[Problem]:
    """One problem per place: the branches of a union object separately, a reader wants one sentence."""
    merged: dict[tuple[str, int], Problem] = {}
    for problem in problems:
        place = (problem.path, problem.line)
        known = merged.get(place)
        if known is None:
            merged[place] = problem
        elif problem.message not in known.message:
            both = f"{known.message}; or: {problem.message}"
            merged[place] = Problem(
                problem.file, problem.line, problem.path, both, known.value, known.hint or problem.hint
            )
    return list(merged.values())


def _words(detail: ErrorDetails, models: Sequence[type[BaseModel]], path: KeyPath, value: Any) -> tuple[str, str]:
    """Message and hint."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return "is missing", ""
    if kind == "extra_forbidden":
        return "unknown setting", did_you_mean(str(path[-1]), _names(models))
    if kind == "literal_error":
        return _not_among(str(context["expected"]), path, value)
    if kind == "value_error":
        return str(context["error"]), ""
    if kind == WRONG_SETTING:
        return str(context["text"]), str(context["hint"])
    if kind == "string_pattern_mismatch":
        return f"does not have the form expected here ({context['pattern']})", ""
    if kind in _WORDS:
        message, hint = _WORDS[kind]
        return message, hint(str(path[-1]) if isinstance(path[-1], str) else "", value)
    unit = " seconds" if isinstance(value, str) and "than" in kind else ""
    return detail["msg"].replace("Input should be", "must be").replace("String should", "must") + unit, ""


def _not_among(expected: str, path: KeyPath, value: Any) -> tuple[str, str]:
    known = [word.strip("' ") for word in expected.replace(" or ", ", ").split(",")]
    if not isinstance(value, str) or is_secret(path):
        return f"must be one of {', '.join(known)}", ""
    return "is not among what can stand here", did_you_mean(value, known)


def _quoted(key: str, value: Any) -> str:
    if isinstance(value, bool | int | float):
        setting = f"{key} = " if key else ""
        return f'write it in quotes, leading zeros included: {setting}"{str(value).lower()}"'
    return ""


def _plain(key: str, value: Any) -> str:
    if isinstance(value, str) and value.replace(".", "", 1).isdigit():
        return f"write it without quotes: {key} = {value}"
    return ""


def _in_brackets(key: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"write [[{key}]] with double brackets, once per entry"
    return f'write it in brackets: {key} = ["…"]' if isinstance(value, str) else ""


_WORDS: dict[str, tuple[str, Callable[[str, Any], str]]] = {
    "string_type": ("text is expected here", _quoted),
    "int_type": ("a whole number is expected here", _plain),
    "float_type": ("a number is expected here", _plain),
    "bool_type": ("true or false is expected here, without quotes", lambda key, value: ""),
    "list_type": ("a list is expected here", _in_brackets),
    "model_type": ("a table is expected here", lambda key, value: "write it in braces: { name = value, … }"),
    "dict_type": ("a table is expected here", lambda key, value: "write it in braces: { name = value, … }"),
}


def _names(models: Iterable[type[BaseModel]]) -> list[str]:
    return [name for model in models for name in model.model_fields]


def _models_at(model: type[BaseModel], loc: Iterable[str | int]) -> list[type[BaseModel]]:
    """The models a table at this place may be of: several where the place is a union."""
    models = [model]
    for key in loc:
        inner = [
            found
            for each in models
            if isinstance(key, str) and key in each.model_fields
            for found in _models_in(each.model_fields[key].annotation)
        ]
        models = inner or [each for each in models if each.__name__ == key] or models
    return models


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for argument in typing.get_args(annotation) for found in _models_in(argument)]


def _description(model: type[BaseModel], loc: Sequence[str | int]) -> str:
    """What the setting is for, as a last hint."""
    if not loc or not isinstance(loc[-1], str):
        return ""
    fields = [each.model_fields[loc[-1]] for each in _models_at(model, loc[:-1]) if loc[-1] in each.model_fields]
    return fields[0].description or "" if fields else ""
