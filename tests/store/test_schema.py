"""The schema file is the truth: the migrations lead to the same; a newer database is refused and left alone."""

import apsw
import asyncpg
import pytest
from storekit.values import arrival

from tocsin import __version__
from tocsin.store.contract import StoreTooNew
from tocsin.store.migrations import marks, migrations, scripts
from tocsin.store.open import open_store
from tocsin.store.queries import load_queries, read_sql

COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity, ordinal_position
FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position
"""
INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1, 2"
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = current_schema()::regnamespace ORDER BY 1, 2
"""


def sqlite_structure(*texts):
    connection = apsw.Connection(":memory:")
    for text in texts:
        connection.execute(text)
    found = {}
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_schema").fetchall():
        listing = "table_xinfo" if kind == "table" else "index_xinfo"
        found[name] = connection.execute(f"PRAGMA {listing}('{name}')").fetchall()
        if kind == "index":
            found[name].append(sql)
    tables = connection.execute("PRAGMA table_list").fetchall()
    return found, sorted(tables)


async def postgres_structure(url, name, *texts):
    connection = await asyncpg.connect(url)
    for text in texts:
        await connection.execute(text)
    found = [[tuple(row) for row in await connection.fetch(query)] for query in (COLUMNS, INDEXES, CONSTRAINTS)]
    await connection.close()
    return str(found).replace(name, "schema")


def migrated(engine):
    return [read_sql(engine, name) for name in migrations(engine).values()]


def test_sqlite_schema_and_migrations_agree():
    assert sqlite_structure(read_sql("sqlite", "schema.sql")) == sqlite_structure(*migrated("sqlite"))


async def test_postgres_schema_and_migrations_agree(postgres_server):
    urls = {name: postgres_server.new_schema(name) for name in ("at_once", "step_by_step")}
    at_once = await postgres_structure(urls["at_once"], "at_once", read_sql("postgres", "schema.sql"))
    assert "deliveries_open" in at_once
    assert at_once == await postgres_structure(urls["step_by_step"], "step_by_step", *migrated("postgres"))


def test_engines_have_the_same_tables_queries_and_migrations():
    found, _ = sqlite_structure(read_sql("sqlite", "schema.sql"))
    text = read_sql("postgres", "schema.sql")
    assert all(f" {name} " in text for name in found if not name.startswith("sqlite_"))
    assert set(migrations("sqlite")) == set(migrations("postgres"))
    only_postgres = {"has_meta", "lock_schema", "server", "denied_tables", "foreign_tables", "may_create"}
    assert set(load_queries("postgres")) - set(load_queries("sqlite")) == only_postgres
    assert set(load_queries("sqlite")) - set(load_queries("postgres")) == {"probe"}


def test_what_runs_on_which_database():
    newest = int(marks("sqlite")["schema"])
    assert scripts("sqlite", None, "x") == [read_sql("sqlite", "schema.sql")]
    assert scripts("sqlite", {"schema": "0"}, "x") == migrated("sqlite")
    assert scripts("sqlite", {"schema": str(newest)}, "x") == []
    assert scripts("sqlite", marks("sqlite"), "x") == []


def test_a_migration_that_came_to_the_program_after_a_higher_one_is_caught_up():
    """Several are written at a time, and they do not arrive in the order of their numbers."""
    without_second = " ".join(str(number) for number in migrations("sqlite") if number != 2)
    late = {**marks("sqlite"), "migrations": without_second}
    assert scripts("sqlite", late, "x") == [read_sql("sqlite", migrations("sqlite")[2])]


def test_a_database_with_a_migration_unknown_here_is_newer_whatever_its_number():
    known = marks("sqlite")
    with pytest.raises(StoreTooNew):
        scripts("sqlite", {**known, "migrations": "0 " + known["migrations"]}, "x")


async def _forge(place, **meta):
    """Overwrite what the database says about itself."""
    for name, value in meta.items():
        sql = f"UPDATE meta SET value = '{value}' WHERE name = '{name}'"
        if place.startswith("postgresql:"):
            connection = await asyncpg.connect(place)
            await connection.execute(sql)
            await connection.close()
        else:
            with apsw.Connection(place) as connection:
                connection.execute(sql)
            connection.close()


async def test_a_newer_database_is_refused_in_clear_words_and_left_alone(place):
    store = open_store(place)
    await store.open()
    await store.accept([arrival("A")])
    await store.aclose()
    await _forge(place, schema="99", written_by="7.2.0")
    older = open_store(place)
    with pytest.raises(StoreTooNew) as raised:
        await older.open()
    await older.aclose()
    said = str(raised.value)
    assert f"was written by Tocsin 7.2.0 (schema 99); this is Tocsin {__version__}" in said
    assert "Run Tocsin 7.2.0 or later" in said
    await _forge(place, schema=marks("sqlite")["schema"])
    again = open_store(place)
    await again.open()
    assert (await again.event("A")).seq == 1
    await again.aclose()
