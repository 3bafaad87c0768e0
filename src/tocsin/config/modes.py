"""A type that is spoken to in several ways has one entry in the registry for each: `patriot` and `patriot/api`."""

from collections.abc import Container


def type_key(known: Container[str], type_: str, mode: object) -> str:
    """The registry's key for an entry with this `type` and `mode`; a mode without an entry of its own is the type's."""
    with_mode = f"{type_}/{mode}"
    return with_mode if isinstance(mode, str) and with_mode in known else type_


def parts(key: str) -> tuple[str, str]:
    """Type and mode of a key; the mode is empty for the type's own entry."""
    type_, _, mode = key.partition("/")
    return type_, mode
