"""Which SQL a database needs to become this program's: none, the schema, or the migrations it lacks. Pure."""

import re
from collections.abc import Mapping
from importlib import resources

from tocsin import __version__
from tocsin.store.contract import StoreTooNew
from tocsin.store.queries import read_sql

_NUMBERED = re.compile(r"(\d{4})_\w+\.sql")


def migrations(engine: str) -> dict[int, str]:
    """The engine's migrations by number: file names."""
    folder = resources.files("tocsin.store").joinpath("sql", engine)
    found = (_NUMBERED.fullmatch(entry.name) for entry in folder.iterdir())
    return dict(sorted((int(match[1]), match[0]) for match in found if match))


def scripts(engine: str, meta: Mapping[str, str] | None, place: str) -> list[str]:
    """The scripts to run, in order. `meta`: what the database says about itself; None: it is empty.

    Migrations do not reach the program in the order of their numbers, so the highest one says too little: a database
    lists what it has had. One that lists nothing had all up to its schema.

    Raises StoreTooNew for a database of a newer program; `place` names it for people.
    """
    known = migrations(engine)
    newest = max(known)
    if meta is None:
        return [read_sql(engine, "schema.sql")]
    version = int(meta["schema"])
    listed = meta.get("migrations")
    done = {number for number in known if number <= version} if listed is None else set(map(int, listed.split()))
    if version > newest or done - known.keys():
        raise StoreTooNew(_too_new(place, version, newest, meta.get("written_by", "")))
    return [read_sql(engine, name) for number, name in known.items() if number not in done]


def marks(engine: str) -> dict[str, str]:
    """What a database of this program says about itself."""
    numbers = migrations(engine)
    listed = " ".join(map(str, numbers))
    return {"schema": str(max(numbers)), "written_by": __version__, "migrations": listed}


def _too_new(place: str, version: int, newest: int, written_by: str) -> str:
    return (
        f"the database {place} was written by Tocsin {written_by or 'of a later version'} (schema {version}); "
        f"this is Tocsin {__version__}, which knows schemas up to {newest}. Nothing was changed. "
        f"Run Tocsin {written_by or 'of that version'} or later, or restore the backup made before the upgrade."
    )
