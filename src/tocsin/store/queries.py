"""The named queries, read from the .sql files beside this module: shared ones, and those of one engine."""

import re
from importlib import resources

from msgspec import Struct

_HEADER = re.compile(r"^-- (?P<name>\w+)(?: \[(?P<columns>\d+)\])?: ", re.MULTILINE)


class NamedQuery(Struct, frozen=True):
    """`columns`: how many it answers, for a list that an engine may fetch in one piece; 0 where it does not matter.
    `text` is empty where this engine has nothing to do.
    """

    text: str
    columns: int = 0


def read_sql(*path: str) -> str:
    """The text of one file below store/sql/."""
    return resources.files("tocsin.store").joinpath("sql", *path).read_text(encoding="utf-8")


def load_queries(engine: str) -> dict[str, NamedQuery]:
    """All queries of an engine ("sqlite" or "postgres") by name."""
    return _parse(read_sql("queries.sql")) | _parse(read_sql(engine, "queries.sql"))


def _parse(text: str) -> dict[str, NamedQuery]:
    headers = list(_HEADER.finditer(text))
    ends = [header.start() for header in headers[1:]] + [len(text)]
    return {
        header["name"]: NamedQuery(_statement(text[header.start() : end]), int(header["columns"] or 0))
        for header, end in zip(headers, ends, strict=True)
    }


def _statement(block: str) -> str:
    lines = [line.strip() for line in block.splitlines() if not line.startswith("--")]
    return " ".join(line for line in lines if line).removesuffix(";")
