"""`tocsin check --connect`, and `tocsin run`, with a real PostgreSQL: what a technician reads about the database."""

import asyncio
import itertools
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from storekit.postgres import PostgresServer, running_server
from tests.cli.conftest import Tocsin

from tocsin.store.migrations import migrations
from tocsin.store.open import open_store

SECRET = "kept-to-ourselves"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """The user `guarded` needs its password; everybody else is trusted."""
    with running_server() as running:
        running.sql(f"CREATE ROLE guarded LOGIN PASSWORD '{SECRET}'")
        running.sql("CREATE ROLE visitor LOGIN")
        rules = ["guarded 127.0.0.1/32 scram-sha-256", "locked 127.0.0.1/32 reject", "all 127.0.0.1/32 trust"]
        place = running.sql("SHOW hba_file").strip()
        lines = ", ".join(f"('host all {rule}')" for rule in rules)
        running.sql(f"COPY (VALUES {lines}) TO '{place}'")
        running.sql("SELECT pg_reload_conf()")
        yield running


@pytest.fixture
def name(server: PostgresServer) -> str:
    """Of an empty database of this test's own."""
    made = f"check{next(_numbers)}"
    server.new_database(made)
    return made


class Checked:
    """`check --connect` with a database; the steps of the store as lines."""

    def __init__(self, tocsin: Tocsin, folder: Path) -> None:
        self._tocsin = tocsin
        self._folder = folder
        self.code = -1

    def __call__(self, url: str) -> list[str]:
        (self._folder / "tocsin.toml").write_text(
            f'[gateway]\ndatabase = {{ env = "TEST_DATABASE" }}\n[api]\nlisten = "127.0.0.1:{_free_port()}"\n'
        )
        ended = self._tocsin("check", "--connect", TEST_DATABASE=url)
        self.code = ended.code
        assert SECRET not in ended.out + ended.err
        _, _, steps = ended.out.partition("\nstore:\n")
        assert steps, ended.out + ended.err
        return [line.strip() for line in steps.partition("\nlisten api:")[0].splitlines()]


@pytest.fixture
def checked(tocsin: Tocsin, tmp_path: Path) -> Checked:
    return Checked(tocsin, tmp_path)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def made_by_a_start(url: str) -> None:
    async def start() -> None:
        store = open_store(url)
        await store.open()
        await store.aclose()

    asyncio.run(start())


def tables_of(server: PostgresServer, name: str) -> str:
    return server.sql("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace", name).strip()


def url_of(server: PostgresServer, user: str, name: str) -> str:
    return f"postgresql://{user}@127.0.0.1:{server.port}/{name}"


def test_an_empty_database_is_fine_and_stays_empty(server: PostgresServer, name: str, checked: Checked) -> None:
    connected, standing = checked(server.url(name))
    assert checked.code == 0
    assert connected.startswith(f"ok      connect to 127.0.0.1:{server.port}: PostgreSQL ")
    assert connected.endswith(", as user postgres")
    assert standing == f"ok      database {name}: it is empty; the tables can be made, the first start does so"
    assert tables_of(server, name) == "0"


def test_a_database_that_is_in_use_says_how_far_it_is(server: PostgresServer, name: str, checked: Checked) -> None:
    made_by_a_start(server.url(name))
    last = max(migrations("postgres"))
    _, standing, written = checked(server.url(name))
    assert standing == f"ok      database {name}: its tables are there, all {last} migrations carried out"
    assert written == "ok      write: a row was written and taken back"
    server.sql(f"UPDATE meta SET value = '{last - 1}' WHERE name = 'schema'", name)
    server.sql(f"UPDATE meta SET value = '{' '.join(map(str, range(1, last)))}' WHERE name = 'migrations'", name)
    before = server.sql("SELECT * FROM meta ORDER BY name", name)
    assert (
        f"ok      database {name}: 1 of {last} migrations are still to come; the next start carries them out"
        in checked(server.url(name))
    )
    assert checked.code == 0
    assert server.sql("SELECT * FROM meta ORDER BY name", name) == before


def test_a_database_of_a_newer_program_is_named_and_left_alone(
    server: PostgresServer, name: str, checked: Checked
) -> None:
    made_by_a_start(server.url(name))
    server.sql("UPDATE meta SET value = '9999' WHERE name = 'schema'", name)
    steps = checked(server.url(name))
    assert checked.code == 1
    assert steps[-1].startswith(f"FAILED  schema: the database postgresql://127.0.0.1:{server.port}/{name} was written")
    assert "(schema 9999)" in steps[-1]
    assert "Nothing was changed." in steps[-1]


def test_a_wrong_password_is_told_and_none_is_printed(server: PostgresServer, name: str, checked: Checked) -> None:
    reached, refused, hint = checked(url_of(server, f"guarded:not-{SECRET}", name))
    assert checked.code == 1
    assert reached == f"ok      connect to 127.0.0.1:{server.port}: a PostgreSQL server answers"
    assert refused.startswith("FAILED  log in: the server refuses the user or its password: ")
    assert '"guarded"' in refused
    assert hint.startswith("hint: check both in gateway.database")


def test_the_right_password_is_not_printed_either(server: PostgresServer, name: str, checked: Checked) -> None:
    server.sql(f"ALTER DATABASE {name} OWNER TO guarded")
    assert len(checked(url_of(server, f"guarded:{SECRET}", name))) == 2
    assert checked.code == 0


def test_a_user_whom_the_server_does_not_let_in(server: PostgresServer, name: str, checked: Checked) -> None:
    server.sql("DROP ROLE IF EXISTS locked")
    server.sql("CREATE ROLE locked LOGIN")
    for user in ("locked", "nobody_of_this_name"):
        _, refused, hint = checked(url_of(server, user, name))
        assert refused.startswith("FAILED  log in: the server does not let this user in: ")
        assert user in refused
        assert "pg_hba.conf" in hint
    assert checked.code == 1


def test_a_database_that_is_missing(server: PostgresServer, checked: Checked) -> None:
    _, missing, hint = checked(server.url("no_such"))
    assert checked.code == 1
    assert missing == "FAILED  database no_such: the server has no such database"
    assert "CREATE DATABASE" in hint


def test_no_right_to_make_tables(server: PostgresServer, name: str, checked: Checked) -> None:
    server.sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC", name)
    _, refused, hint = checked(url_of(server, "visitor", name))
    assert checked.code == 1
    assert refused == (
        "FAILED  rights: the server does not allow this user what is needed: permission denied for schema public"
    )
    assert "GRANT CREATE ON SCHEMA" in hint


def test_tables_of_another_owner(server: PostgresServer, name: str, checked: Checked) -> None:
    made_by_a_start(server.url(name))
    server.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO visitor", name)
    _, refused, hint = checked(url_of(server, "visitor", name))
    assert refused == (
        f"FAILED  database {name}: the user visitor does not read and write the tables "
        "aliases, areas, armings, audit, commands and more"
    )
    assert "OWNER TO visitor" in hint
    server.sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO visitor", name)
    assert len(checked(url_of(server, "visitor", name))) == 3
    assert checked.code == 0


def test_migrations_to_come_need_the_owner(server: PostgresServer, name: str, checked: Checked) -> None:
    made_by_a_start(server.url(name))
    server.sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO visitor", name)
    server.sql("UPDATE meta SET value = '1' WHERE name IN ('schema', 'migrations')", name)
    refused = checked(url_of(server, "visitor", name))[1]
    assert refused.startswith(f"FAILED  database {name}: the user visitor does not own the tables aliases, areas")
    assert checked.code == 1


def test_a_standby_takes_no_changes(server: PostgresServer, name: str, checked: Checked) -> None:
    server.sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert any(step.startswith("FAILED  write: the server takes no changes") for step in checked(server.url(name)))


def test_tables_of_another_program(server: PostgresServer, name: str, checked: Checked) -> None:
    server.sql("CREATE TABLE events (id int)", name)
    assert 'FAILED  tables: tables of another program are in the way: relation "events" already exists' in checked(
        server.url(name)
    )
    server.sql("CREATE TABLE meta (id int)", name)
    assert "FAILED  tables: the table meta there is another program's" in checked(server.url(name))
    server.sql("DROP TABLE meta; CREATE TABLE meta (name text, value text)", name)
    assert "FAILED  tables: the table meta there is another program's" in checked(server.url(name))


def test_a_closed_port_and_a_name_that_does_not_exist(checked: Checked) -> None:
    port = _free_port()
    (refused,) = checked(f"postgresql://tocsin:{SECRET}@127.0.0.1:{port}/tocsin")
    assert checked.code == 1
    assert refused.startswith(f"FAILED  connect to 127.0.0.1:{port}: 127.0.0.1:{port} refuses the connection: ")
    (refused,) = checked(f"postgresql://tocsin:{SECRET}@localhost:{port}/tocsin")
    assert refused.startswith(f"FAILED  connect to localhost:{port}: localhost:{port} refuses the connection: ")
    (unknown,) = checked(f"postgresql://tocsin:{SECRET}@db.invalid/tocsin")
    assert unknown.startswith("FAILED  connect to db.invalid:5432: The name db.invalid cannot be found")


def test_several_hosts_of_which_none_answers(checked: Checked) -> None:
    port = _free_port()
    (refused,) = checked(f"postgresql://tocsin:{SECRET}@db.invalid:5432,127.0.0.1:{port}/tocsin")
    assert refused.startswith(f"FAILED  connect to db.invalid:5432,127.0.0.1:{port}: 127.0.0.1:{port} refuses")


def test_a_server_without_tls_where_tls_is_asked_for(server: PostgresServer, name: str, checked: Checked) -> None:
    (refused,) = checked(server.url(name) + "?sslmode=require")
    assert refused.startswith(f"FAILED  connect to 127.0.0.1:{server.port}: ")
    assert "SSL" in refused


@pytest.mark.parametrize("mark", ["/", "?", "#"])
def test_a_password_with_a_mark_of_addresses_is_a_wrong_setting(mark: str, tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text(
        f'[gateway]\ndatabase = "postgresql://tocsin:kept{mark}to@db.invalid/tocsin"\n'
    )
    ended = tocsin("check")
    assert ended.code == 2
    assert "tocsin.toml:2: gateway.database: not an address of the form" in ended.out
    assert "kept" not in ended.out


def test_a_start_says_the_same_and_shows_no_traceback(
    server: PostgresServer, name: str, program: Tocsin, tmp_path: Path
) -> None:
    server.sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC", name)
    said = {
        url_of(server, f"guarded:not-{SECRET}", name): "log in: the server refuses the user or its password: ",
        url_of(server, "visitor", name): "rights: the server does not allow this user what is needed: ",
        server.url("no_such"): "database no_such: the server has no such database; check the name",
        f"postgresql://127.0.0.1:{_free_port()}/tocsin": "refuses the connection: ",
    }
    (tmp_path / "tocsin.toml").write_text(
        '[gateway]\ndatabase = { env = "TEST_DATABASE" }\n[api]\nlisten = "127.0.0.1:0"\n'
    )
    for url, sentence in said.items():
        ended = program("run", TEST_DATABASE=url)
        assert ended.code == 1
        assert ended.err.startswith("cannot open the store: "), ended.err
        assert sentence in ended.err
        assert "Traceback" not in ended.err
        assert SECRET not in ended.err
