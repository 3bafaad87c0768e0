"""Field types of the configuration: secrets that cannot be printed, durations, accounts as strings."""

import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

WRONG_SETTING = "wrong_setting"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(?:\d{1,9}(?:\.\d{1,3})?(?:ms|s|m|h|d|w))+\Z")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_SECRET_FILE_LIMIT = 65536


class Settings(BaseModel):
    """What every table of the configuration shares: unknown keys are refused, values are frozen, nothing is guessed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


def wrong_setting(place: tuple[str | int, ...], message: str, hint: str = "") -> ValidationError:
    """To be raised by a check of the whole table, for one setting in it: what is wrong is told at that setting."""
    error = PydanticCustomError(WRONG_SETTING, "{text}", {"text": message, "hint": hint})
    return ValidationError.from_exception_data("settings", [InitErrorDetails(type=error, loc=place, input=None)])


def parse_duration(value: object) -> float:
    """`"90s"`, `"1h30m"` to seconds. Raises ValueError."""
    if isinstance(value, str) and _DURATION.match(value):
        return sum(float(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(value))
    raise ValueError('expected a duration as a string, such as "90s", "15m", "24h" or "30d"')


Duration = Annotated[float, BeforeValidator(parse_duration, json_schema_input_type=str)]
"""Seconds, written as a string with its unit."""


class Secret:
    """A value that cannot be printed. `reveal()` is the only way to it."""

    __slots__ = ("_value", "origin")

    def __init__(self, value: str, origin: str = "the configuration file") -> None:
        self._value = value
        self.origin = origin

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> Any:
        raise TypeError("a secret cannot be pickled")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _read_secret, serialization=core_schema.plain_serializer_function_ser_schema(lambda _: "***")
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        one = {"type": "string"}
        return {
            "writeOnly": True,
            "anyOf": [
                one,
                {"type": "object", "properties": {"env": one}, "required": ["env"], "additionalProperties": False},
                {"type": "object", "properties": {"file": one}, "required": ["file"], "additionalProperties": False},
            ],
        }


def _read_secret(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    if isinstance(value, str):
        return Secret(value)
    if isinstance(value, dict) and len(value) == 1:
        ((where, name),) = value.items()
        if where == "env" and isinstance(name, str):
            return _from_environment(name)
        if where == "file" and isinstance(name, str):
            return _from_file(name)
    raise ValueError('a secret is a string, { env = "NAME" } or { file = "path" }')


def _from_environment(name: str) -> Secret:
    value = os.environ.get(name)
    if value is None:
        raise ValueError(f"the environment variable {name} is not set; set it before starting, or use {{ file = … }}")
    return Secret(value, f"environment variable {name}")


def _from_file(name: str) -> Secret:
    try:
        with Path(name).open("rb") as file:
            data = file.read(_SECRET_FILE_LIMIT + 1)
        text = data.decode("utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the secret file {name} cannot be read: {_unread(error)}") from None
    if len(data) > _SECRET_FILE_LIMIT:
        raise ValueError(f"the secret file {name} is larger than 64 KiB")
    return Secret(text, f"file {name}")


def _unread(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    if isinstance(error, PermissionError):
        return f"{error.strerror}; let the user that the gateway runs as read it"
    if isinstance(error, FileNotFoundError):
        return f"{error.strerror}; put the secret there, or name the file it is in"
    return str(error.strerror)


class AesKey:
    """An AES key of 16, 24 or 32 bytes; hexadecimal or text is always said, never guessed (dc09.md 9)."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        return self._value

    def __repr__(self) -> str:
        return f"AesKey(AES-{len(self._value) * 8}, …)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> Any:
        raise TypeError("a key cannot be pickled")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _read_key, serialization=core_schema.plain_serializer_function_ser_schema(lambda _: "***")
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        secret = Secret.__get_pydantic_json_schema__(schema, handler)
        return {
            "anyOf": [
                {"type": "object", "properties": {form: secret}, "required": [form], "additionalProperties": False}
                for form in ("hex", "text")
            ]
        }


def _read_key(value: object) -> AesKey:
    if isinstance(value, AesKey):
        return value
    if not (isinstance(value, dict) and len(value) == 1 and next(iter(value)) in ("hex", "text")):
        raise ValueError('a key says how it is written: { hex = "0011…" } or { text = "16, 24 or 32 characters" }')
    ((form, written),) = value.items()
    text = _read_secret(written).reveal()
    if form == "hex":
        if not re.fullmatch(r"[0-9A-Fa-f]*", text) or len(text) not in (32, 48, 64):
            raise ValueError("a key in hex has 32, 48 or 64 hexadecimal digits (AES-128, 192 or 256)")
        return AesKey(bytes.fromhex(text))
    key = text.encode("utf-8")
    if len(key) not in (16, 24, 32):
        raise ValueError(f"a key in text has 16, 24 or 32 characters (AES-128, 192 or 256); this one has {len(key)}")
    return AesKey(key)
