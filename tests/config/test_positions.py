"""The line of every key: a table of forms, and any document a writer can make."""

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.config.positions import KeyPath, scan

FORMS = """\
top = 1
# [not.a.table] = "in a comment"
a.b . "c.d" = 2

[table]  # comment with ] and =
'quoted key' = 'x = "y" # no comment'
text = \"\"\"
[fake]
other = 1 \\\"""
\"\"\"
literal = '''
[[fake]]'''
after = 1979-05-27 07:32:00  # a date with a blank
[[list]]
name = "one"
[list.sub]
deep = { x = 1, "y z" = [1, 2], w = { v = 3 } }
[[list]]
name = "two"
accounts = [
  { account = "0001", key = { hex = { env = "A" } } },  # first
  # { account = "none" },
  { account = "0002" }, { account = "0003" },
]
[[list.inner]]
a = 1
[[list.inner]]
a = 2
[table.below]
"""

LINES: list[tuple[KeyPath, int]] = [
    (("top",), 1),
    (("a", "b", "c.d"), 3),
    (("table",), 5),
    (("table", "quoted key"), 6),
    (("table", "text"), 7),
    (("table", "literal"), 11),
    (("table", "after"), 13),
    (("list", 0), 14),
    (("list", 0, "name"), 15),
    (("list", 0, "sub"), 16),
    (("list", 0, "sub", "deep", "y z", 1), 17),
    (("list", 0, "sub", "deep", "w", "v"), 17),
    (("list", 1), 18),
    (("list", 1, "name"), 19),
    (("list", 1, "accounts"), 20),
    (("list", 1, "accounts", 0, "key", "hex", "env"), 21),
    (("list", 1, "accounts", 1), 23),
    (("list", 1, "accounts", 2, "account"), 23),
    (("list", 1, "inner", 0, "a"), 26),
    (("list", 1, "inner", 1, "a"), 28),
    (("table", "below"), 29),
]


@pytest.mark.parametrize(("path", "line"), LINES, ids=str)
def test_every_form_has_its_line(path: KeyPath, line: int) -> None:
    tomllib.loads(FORMS)
    assert scan(FORMS).line(path) == line


def test_what_is_not_in_the_text_has_the_line_of_its_nearest_parent() -> None:
    positions = scan(FORMS)
    assert positions.line(("list", 1, "missing", "deeper")) == 18
    assert positions.line(("nowhere",)) == 1


KEYS = st.text(alphabet="abc.\"'#=[] é\\", min_size=1, max_size=6)
SCALARS = st.one_of(st.integers(-99, 99), st.booleans(), st.text(alphabet="a\"'#[]{},=\\\n é", max_size=8))
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
TABLES = st.dictionaries(KEYS, VALUES, max_size=4)


def written(value: Any, path: KeyPath, line: int, lines: dict[KeyPath, int]) -> str:
    """One line of TOML; arrays and tables inline, every place noted with its line."""
    lines[path] = line
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(k)} = {written(v, (*path, k), line, lines)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(written(item, (*path, i), line, lines) for i, item in enumerate(value)) + "]"
    return quoted(value) if isinstance(value, str) else json.dumps(value)


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(KEYS, st.lists(TABLES, min_size=1, max_size=3), max_size=3))
def test_every_place_of_any_document_has_its_line(document: dict[str, list[dict[str, Any]]]) -> None:
    text: list[str] = []
    lines: dict[KeyPath, int] = {}
    for name, tables in document.items():
        for index, table in enumerate(tables):
            text += ["# [[comment]]", f"[[{quoted(name)}]]"]
            lines[name, index] = len(text)
            for key, value in table.items():
                line = written(value, (name, index, key), len(text) + 1, lines)
                text.append(f"{quoted(key)} = {line}")
    whole = "\n".join(text)
    assert tomllib.loads(whole) == document
    positions = scan(whole)
    assert {path: positions.line(path) for path in lines} == lines
