"""The PostgreSQL database of the configuration, for people: what `check --connect` tries, and why it does not work."""

import ssl
from urllib.parse import urlsplit

import asyncpg

from tocsin.engine.contracts import CheckStep
from tocsin.protocols.text import one_line
from tocsin.store.contract import StoreTooNew
from tocsin.store.migrations import migrations
from tocsin.store.postgres import OUTSIDE
from tocsin.store.postgres_trial import NotOurs, Server, Standing, on_trial
from tocsin.transports.contract import Endpoint
from tocsin.transports.tls import explain

_PORT = 5432
_NAMED = 5
_URL = "postgresql://USER:PASSWORD@HOST:PORT/NAME"
_REASONS: tuple[tuple[type[Exception], str, str, str], ...] = (
    (asyncpg.InvalidPasswordError, "log in", "the server refuses the user or its password: {0}",
     f"check both in gateway.database, {_URL}; characters such as @ : / ? # are written there as %40 %3A %2F %3F %23"),
    (asyncpg.InvalidAuthorizationSpecificationError, "log in", "the server does not let this user in: {0}",
     "check the user in gateway.database, and on the server pg_hba.conf, which says who may come from where"),
    (asyncpg.InvalidCatalogNameError, "database {1}", "the server has no such database",
     "check the name in gateway.database, or make it on the server: CREATE DATABASE name OWNER user"),
    (asyncpg.InvalidSchemaNameError, "tables", "there is no schema in which tables could be made: {0}",
     "make it on the server: CREATE SCHEMA name AUTHORIZATION user; search_path in gateway.database names it"),
    (asyncpg.InsufficientPrivilegeError, "rights", "the server does not allow this user what is needed: {0}",
     "the user must own the tables and may create more: as owner of the database, or GRANT CREATE ON SCHEMA"),
    (asyncpg.ReadOnlySQLTransactionError, "write", "the server takes no changes: it is a standby, or set to read only",
     "name the primary; with several hosts, target_session_attrs=read-write finds it"),
    (asyncpg.DuplicateTableError, "tables", "tables of another program are in the way: {0}",
     "give Tocsin a database of its own, or a schema by search_path"),
    (NotOurs, "tables", "the table meta there is another program's",
     "give Tocsin a database of its own, or a schema by search_path"),
    (asyncpg.LockNotAvailableError, "tables", "another node has been making or changing the tables for 10 s",
     "try again; if it stays, look on the server in pg_stat_activity who waits in a transaction"),
    (asyncpg.TooManyConnectionsError, "log in", "the server has no connection left: {0}",
     "raise max_connections there, or end what holds them"),
    (asyncpg.CannotConnectNowError, "log in", "the server takes nobody now: {0}",
     "it is starting or stopping; try again"),
    (asyncpg.PostgresError, "database {1}", "the server answers: {0}", ""),
)  # fmt: skip


async def database_steps(url: str) -> list[CheckStep]:
    """Reach the server, log in, see how far the database is, and write; everything is taken back."""
    steps: list[CheckStep] = []
    try:
        async with on_trial(url) as trial:
            server = await trial.server()
            steps.append(CheckStep(_reaching(url), True, f"PostgreSQL {server.version}, as user {server.user}"))
            found = await trial.standing()
            steps.append(_standing(found, server))
            if steps[-1].ok and not found.empty:
                await trial.write()
                steps.append(CheckStep("write", True, "a row was written and taken back"))
    except (*OUTSIDE, asyncpg.PostgresError, NotOurs, StoreTooNew, ValueError) as error:
        reached = bool(steps) or isinstance(error, asyncpg.PostgresError)
        steps += [CheckStep(_reaching(url), True, "a PostgreSQL server answers")] if reached and not steps else []
        steps.append(_failed(error, url))
    return steps


def why_unusable(error: BaseException, url: str) -> str:
    """Why the store at `url` could not be opened, as a sentence; the store's own words where none fits better."""
    cause = error.__cause__
    if not isinstance(cause, Exception) or isinstance(error, StoreTooNew):
        return str(error)
    step = _failed(cause, url)
    return f"{step.what}: {step.detail}" + (f"; {step.hint}" if step.hint else "")


def _standing(found: Standing, server: Server) -> CheckStep:
    what = f"database {server.database}"
    if found.denied:
        some = ", ".join(found.denied[:_NAMED]) + (" and more" if len(found.denied) > _NAMED else "")
        missing = "own" if found.lacking else "read and write"
        hint = f"on the server: ALTER TABLE name OWNER TO {server.user} for each, or connect as their owner"
        return CheckStep(what, False, f"the user {server.user} does not {missing} the tables {some}", hint)
    if not found.may_create:
        hint = f"on the server: GRANT CREATE ON SCHEMA {server.schema or 'name'} TO {server.user}"
        return CheckStep(what, False, f"{_to_come(found)}, and the user {server.user} may create no tables", hint)
    return CheckStep(what, True, _to_come(found))


def _to_come(found: Standing) -> str:
    last = max(migrations("postgres"))
    if found.empty:
        return "it is empty; the tables can be made, the first start does so"
    if found.lacking:
        return f"{found.lacking} of {last} migrations are still to come; the next start carries them out"
    return f"its tables are there, all {last} migrations carried out"


def _reaching(url: str) -> str:
    return f"connect to {_hosts(url)}"


def _hosts(url: str) -> str:
    """As the address names them; a single one with its port."""
    named = urlsplit(url).netloc.rpartition("@")[2]
    return named if "," in named else str(_endpoint(url))


def _endpoint(url: str) -> Endpoint:
    """The one host, of several the last: the one whose error is told."""
    host, _, port = urlsplit(url).netloc.rpartition("@")[2].rpartition(",")[2].rpartition(":")
    if not port.isdecimal():  # there was no port: the colon, if any, is part of an IPv6 address
        host, port = (f"{host}:{port}" if host else port), str(_PORT)
    return Endpoint(host.strip("[]") or "localhost", int(port))


def _failed(error: Exception, url: str) -> CheckStep:
    if isinstance(error, StoreTooNew):
        return CheckStep("schema", False, str(error))
    for kind, what, sentence, hint in _REASONS:
        if isinstance(error, kind):
            name = urlsplit(url).path.strip("/") or "of the user's name"
            return CheckStep(what.format("", name), False, sentence.format(one_line(str(error)), name), hint)
    if isinstance(error, ssl.SSLError):
        return CheckStep(
            _reaching(url), False, f"TLS does not come about: {error}", "sslmode and sslrootcert in the address"
        )
    if isinstance(error, ValueError):
        return CheckStep("address", False, f"gateway.database cannot be used: {error}", f"it is written {_URL}")
    return CheckStep(_reaching(url), False, explain(_single(error), _endpoint(url)))


def _single(error: Exception) -> Exception:
    """Of a name with several addresses asyncio tells all failures in one text; what they share is the first's."""
    number = str(error).removeprefix("Multiple exceptions: [Errno ").partition("]")[0]
    if isinstance(error, OSError) and error.errno is None and number.isdecimal():
        return OSError(int(number), str(error))
    return error
