"""Printing what commands found: tables for people, JSON for programs."""

from collections.abc import Sequence
from typing import Any

import msgspec
import typer

from tocsin.cli.context import on_terminal


def print_json(value: Any) -> None:
    """One JSON document, indented."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], empty: str = "nothing") -> None:
    """A table: framed on a terminal, plain aligned columns, never cut, elsewhere."""
    if not rows:
        typer.echo(empty)
    elif on_terminal():
        _framed(columns, rows)
    else:
        _plain(columns, rows)


def _framed(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console().print(table)


def _plain(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    cells = [[printable(cell) for cell in row] for row in [columns, *rows]]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
    for row in cells:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def printable(text: str) -> str:
    """Text from outside on one line: control characters cannot reach the terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


def count(number: int, word: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
