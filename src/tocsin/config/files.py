"""Files a configuration names: made relative to its folder, and looked at before anything starts."""

import ssl
from pathlib import Path
from typing import Any

from tocsin.config.document import Document
from tocsin.config.positions import KeyPath
from tocsin.config.problems import Problem

_TLS_FILES = ("ca_file", "cert", "key", "client_ca")


def resolved(value: Any, folder: Path, path: KeyPath = ()) -> Any:
    """The same data with every file name absolute: `…_file`, `data_dir`, the files of `tls`, `{ file = … }`."""
    if isinstance(value, dict):
        only_file = len(value) == 1 and "file" in value
        return {
            key: _absolute(item, folder)
            if isinstance(item, str) and item and (only_file or names_a_file((*path, key)))
            else resolved(item, folder, (*path, key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [resolved(item, folder, (*path, index)) for index, item in enumerate(value)]
    return value


def names_a_file(path: KeyPath) -> bool:
    """Whether the setting at this place holds a file name."""
    key, parent = path[-1], path[-2] if len(path) > 1 else ""
    return isinstance(key, str) and (
        key.endswith("_file") or key == "data_dir" or (parent == "tls" and key in _TLS_FILES)
    )


def _absolute(name: str, folder: Path) -> str:
    return str(folder / Path(name).expanduser())


def unusable(document: Document, data: Any, path: KeyPath = ()) -> list[Problem]:
    """Problems of the files named in `data`, names resolved: unreadable, no PEM, key of another certificate."""
    problems: list[Problem] = []
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        place = (*path, key)
        if isinstance(value, str) and value and names_a_file(place) and key != "data_dir":
            problems += _unreadable(document, place, value)
        problems += unusable(document, value, place)
    if isinstance(data, dict) and path[-1:] == ("tls",) and not problems:
        problems += _bad_certificates(document, data, path)
    return problems


def _unreadable(document: Document, path: KeyPath, name: str) -> list[Problem]:
    try:
        with Path(name).open("rb") as stream:
            stream.read(1)
    except OSError as error:
        hint = f"a relative name is looked for in {document.folder}" if isinstance(error, FileNotFoundError) else ""
        return [document.problem(path, f"the file {name} cannot be read: {error.strerror}", hint)]
    return []


def _bad_certificates(document: Document, tls: dict[str, Any], path: KeyPath) -> list[Problem]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    problems = []
    for name in ("ca_file", "client_ca"):
        authority = tls.get(name)
        try:
            if isinstance(authority, str) and authority:
                context.load_verify_locations(authority)
        except OSError:
            problems.append(document.problem((*path, name), f"{authority} holds no certificate in PEM form"))
    cert, key = tls.get("cert"), tls.get("key")
    if isinstance(cert, str) and isinstance(key, str) and cert and key:
        try:
            context.load_cert_chain(cert, key, password="")
        except OSError as error:
            problems.append(document.problem((*path, "cert"), _pair_message(error, cert, key)))
    return problems


def _pair_message(error: OSError, cert: str, key: str) -> str:
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return f"the key {key} does not belong to the certificate {cert}"
    return f"{cert} and {key} are no certificate and unencrypted key in PEM form"
