"""Loading a configuration: every typical mistake with the exact sentence a technician reads, and what loads cleanly."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import Field

from tocsin.app.loading import Registries, load
from tocsin.config.fields import Duration, Secret, Settings
from tocsin.config.listening import Listen
from tocsin.destinations.settings import DestinationSettings, TlsSettings


class StationSettings(DestinationSettings):
    hosts: list[str] = Field(min_length=1, description="Receivers as host:port.")
    account: str | None = Field(None, description="Default account.")
    accounts: dict[str, str] = Field({}, description="Renames.")
    password: Secret | None = Field(None, description="Password at the station.")
    tls: TlsSettings | None = Field(None, description="Absent: plain.")
    reply_timeout: Duration = Field(20.0, ge=5, description="Wait for the answer.")
    connections: int = Field(4, ge=1, description="Deliveries at once.")
    keep: bool = Field(True, description="Keep connections.")


class PanelSettings(Settings):
    name: str
    type: str
    listen: Listen
    accounts: list[dict[str, Any]] = Field([])


class StationType:
    settings = StationSettings


class PanelType:
    settings = PanelSettings


TYPES = Registries({"dc09": StationType(), "webhook": StationType()}, {"dc09": PanelType()})
STATION = '[[destinations]]\nname = "arc"\ntype = "dc09"\nhosts = ["192.0.2.5:4001"]\n'


def problems(folder: Path, text: str) -> list[str]:
    """What is printed, with the folder left out."""
    file = folder / "tocsin.toml"
    file.write_text(text)
    return [str(problem).replace(f"{folder}/", "") for problem in load(file, TYPES).problems]


MISTAKES = {
    "control over the network without TLS": (
        '[control]\nlisten = "0.0.0.0:9028"\nusers = [{ name = "arc", password = "long enough", allow = ["list"] }]\n',
        "tocsin.toml:1: control: plain HTTP on 0.0.0.0:9028 would send passwords and orders readably over the network: "
        'give tls = { cert = "…", key = "…" }, or listen on 127.0.0.1',
    ),
    "control for nobody": (
        "[control]\nusers = []\n",
        "tocsin.toml:1: control: nobody may use the control API: give at least one user, or remove [control]",
    ),
    "a database of another make": (
        '[gateway]\ndatabase = "mysql://tocsin:hush@127.0.0.1/tocsin"\n',
        "tocsin.toml:2: gateway.database: expected postgresql://USER@HOST:PORT/NAME; without database, SQLite in "
        "data_dir is used\n    value: ***",
    ),
    "no such schedule": (
        '[[devices]]\nid = "d1"\nschedule = "Mo 8-9"\n',
        "tocsin.toml:3: devices[1] \"d1\" . schedule: 'Mo' is no day: Mon, Tue, Wed, Thu, Fri, Sat, Sun; "
        'expected such as "Mon-Fri 18:00-06:00; Sat,Sun 00:00-24:00"\n    value: "Mo 8-9"',
    ),
    "two listeners on the control port": (
        '[control]\nusers = [{ name = "arc", password = "long enough", allow = ["list"] }]\n'
        '[[sources]]\nname = "panels"\ntype = "dc09"\nlisten = "127.0.0.1:9028"\naccounts = []\n',
        'tocsin.toml:6: sources[1] "panels" . listen: line 1 listens on 127.0.0.1:9028 already\n'
        "    hint:  take another port",
    ),
    "misspelt setting": (
        STATION + 'acount = "9280"\n',
        'tocsin.toml:5: destinations[1] "arc" . acount: unknown setting\n    hint:  did you mean "account"?',
    ),
    "account as a number": (
        STATION + "account = 9280\n",
        'tocsin.toml:5: destinations[1] "arc" . account: text is expected here\n    value: 9280\n'
        '    hint:  write it in quotes, leading zeros included: account = "9280"',
    ),
    "account as a number in a rename": (
        STATION + 'accounts = { "4711" = 9280 }\n',
        'tocsin.toml:5: destinations[1] "arc" . accounts.4711: text is expected here\n    value: 9280\n'
        '    hint:  write it in quotes, leading zeros included: 4711 = "9280"',
    ),
    "leading zero": (
        STATION + "account = 0042\n",
        "tocsin.toml:5: not readable as TOML: Expected newline or end of document after a statement (column 12)\n"
        '    hint:  a number with leading zeros goes in quotes: "0042"',
    ),
    "missing environment secret": (
        STATION + 'password = { env = "TOCSIN_TEST_NOT_SET" }\n',
        'tocsin.toml:5: destinations[1] "arc" . password: the environment variable TOCSIN_TEST_NOT_SET is not set; '
        "set it before starting, or use { file = … }\n"
        '    value: { env = "TOCSIN_TEST_NOT_SET" }',
    ),
    "missing secret file": (
        STATION + 'password = { file = "arc.pw" }\n',
        'tocsin.toml:5: destinations[1] "arc" . password: the secret file arc.pw cannot be read: '
        "No such file or directory; put the secret there, or name the file it is in\n"
        '    value: { file = "arc.pw" }',
    ),
    "secret as a number": (
        STATION + "password = 123456\n",
        'tocsin.toml:5: destinations[1] "arc" . password: a secret is a string, { env = "NAME" } or '
        '{ file = "path" }\n    value: ***',
    ),
    "unreadable certificate": (
        STATION + 'tls = { ca_file = "arc-ca.pem" }\n',
        'tocsin.toml:5: destinations[1] "arc" . tls.ca_file: the file arc-ca.pem cannot be read: '
        "No such file or directory\n    hint:  a relative name is looked for in {folder}",
    ),
    "certificate without its key": (
        STATION + 'tls = { cert = "tocsin.toml" }\n',
        'tocsin.toml:5: destinations[1] "arc" . tls: cert and key belong together: give both or neither',
    ),
    "bad duration": (
        STATION + "retry = { first = 1 }\n",
        'tocsin.toml:5: destinations[1] "arc" . retry.first: expected a duration as a string, such as "90s", "15m", '
        '"24h" or "30d"\n    value: 1',
    ),
    "duration out of range": (
        STATION + 'reply_timeout = "2s"\n',
        'tocsin.toml:5: destinations[1] "arc" . reply_timeout: must be greater than or equal to 5 seconds\n'
        '    value: "2s"',
    ),
    "number in quotes": (
        STATION + 'connections = "4"\n',
        'tocsin.toml:5: destinations[1] "arc" . connections: a whole number is expected here\n    value: "4"\n'
        "    hint:  write it without quotes: connections = 4",
    ),
    "true in quotes": (
        STATION + 'keep = "true"\n',
        'tocsin.toml:5: destinations[1] "arc" . keep: true or false is expected here, without quotes\n'
        '    value: "true"',
    ),
    "list without brackets": (
        STATION.replace('["192.0.2.5:4001"]', '"192.0.2.5:4001"'),
        'tocsin.toml:4: destinations[1] "arc" . hosts: a list is expected here\n    value: "192.0.2.5:4001"\n'
        '    hint:  write it in brackets: hosts = ["…"]',
    ),
    "missing setting": (
        '[[destinations]]\nname = "arc"\ntype = "dc09"\n',
        'tocsin.toml:1: destinations[1] "arc" . hosts: is missing\n    hint:  Receivers as host:port.',
    ),
    "kind misspelt": (
        STATION + 'filter = { kinds = ["motion", "tampr"] }\n',
        'tocsin.toml:5: destinations[1] "arc" . filter.kinds[2]: is not among what can stand here\n'
        '    value: "tampr"\n    hint:  did you mean "tamper"?',
    ),
    "unknown type": (
        STATION.replace('"dc09"', '"dc9"'),
        'tocsin.toml:3: destinations[1] "arc" . type: there is no such type\n    value: "dc9"\n'
        '    hint:  did you mean "dc09"?',
    ),
    "no type": (
        '[[destinations]]\nname = "arc"\n',
        'tocsin.toml:1: destinations[1] "arc" . type: is missing\n    hint:  type = "…", one of: dc09, webhook',
    ),
    "name twice": (
        STATION + STATION,
        'tocsin.toml:6: destinations[2] "arc" . name: is already given in line 2\n    hint:  each needs its own',
    ),
    "single brackets": (
        '[destinations]\nname = "arc"\n',
        "tocsin.toml:1: destinations: a list of tables is expected here\n"
        "    hint:  write [[destinations]] with double brackets, once per entry",
    ),
    "section misspelt": (
        "[gatway]\n",
        'tocsin.toml:1: gatway: unknown section\n    hint:  did you mean "gateway"?',
    ),
    "time zone misspelt": (
        '[gateway]\ntime_zone = "Europe/Talinn"\n',
        'tocsin.toml:2: gateway.time_zone: not the name of a time zone: expected one such as "Europe/Tallinn" or '
        '"UTC"\n    value: "Europe/Talinn"',
    ),
    "plain HTTP on the network": (
        '[api]\nlisten = "0.0.0.0:8080"\ntokens = [{ name = "d", token = "0123456789abcdef", scopes = ["read"] }]\n',
        "tocsin.toml:1: api: plain HTTP on 0.0.0.0:8080 would send tokens readably over the network: give tls = "
        '{ cert = "…", key = "…" }, listen on 127.0.0.1, or say insecure = true',
    ),
    "scope misspelt": (
        '[api]\ntokens = [\n{ name = "d", token = "0123456789abcdef", scopes = ["raed"] },\n]\n',
        'tocsin.toml:3: api.tokens[1] "d" . scopes[1]: is not among what can stand here\n    value: "raed"\n'
        '    hint:  did you mean "read"?',
    ),
    "empty control password": (
        '[control]\nusers = [{ name = "arc", password = "", allow = ["list"] }]\n',
        'tocsin.toml:2: control.users[1] "arc": the password of "arc" is empty',
    ),
    "empty token": (
        '[api]\ntokens = [{ name = "d", token = "", scopes = ["read"] }]\n',
        'tocsin.toml:2: api.tokens[1] "d": the token "d" is empty',
    ),
    "password instead of its hash": (
        '[console]\nusers = [{ name = "eva", password_hash = "geheim123" }]\n',
        'tocsin.toml:2: console.users[1] "eva": the password_hash of "eva" is no Argon2 hash: make one with '
        "`tocsin password`",
    ),
    "area misspelt": (
        '[[areas]]\nname = "North depot"\n[[devices]]\nid = "cam-1"\narea = "Nort depot"\n',
        'tocsin.toml:5: warning: devices[1] "cam-1" . area: the area "Nort depot" is not among [[areas]]: it lies in '
        'no other and has no customer\n    hint:  did you mean "North depot"?',
    ),
    "parent misspelt": (
        '[[areas]]\nname = "North"\n[[areas]]\nname = "Depot"\nparent = "Noth"\n',
        'tocsin.toml:5: areas[2] "Depot" . parent: the area "Noth" is not among [[areas]]\n'
        '    hint:  did you mean "North"?',
    ),
    "areas in a circle": (
        '[[areas]]\nname = "A"\nparent = "B"\n[[areas]]\nname = "B"\nparent = "A"\n',
        'tocsin.toml:3: areas[1] "A" . parent: this area lies within itself\n    hint:  one of the parents is wrong',
    ),
    "address at no destination": (
        STATION + '[[devices]]\nid = "cam-1"\naddresses = { acr = { account = "9280" } }\n',
        'tocsin.toml:7: devices[1] "cam-1" . addresses.acr: there is no destination "acr"\n'
        '    hint:  did you mean "arc"?',
    ),
    "port taken twice": (
        '[[sources]]\nname = "panels"\ntype = "dc09"\nlisten = "127.0.0.1:8080"\n[api]\nlisten = "127.0.0.1:8080"\n',
        'tocsin.toml:4: sources[1] "panels" . listen: line 6 listens on 127.0.0.1:8080 already\n'
        "    hint:  take another port",
    ),
    "no proxy's address": (
        '[api]\ntrusted_proxies = ["127.0.0.1", "proxy.example.net"]\n',
        'tocsin.toml:2: api.trusted_proxies[2]: expected an address or network, such as "192.0.2.5" or '
        '"192.0.2.0/24"\n    value: "proxy.example.net"',
    ),
    "backslash": (
        '[gateway]\ndata_dir = "C:\\tocsin\\data"\n',
        "tocsin.toml:2: not readable as TOML: Unescaped '\\' in a string (column 24)\n"
        "    hint:  a backslash in double quotes starts an escape: write the text in 'single quotes' or double each "
        "backslash",
    ),
    "text without quotes": (
        "[gateway]\nname = north\n",
        "tocsin.toml:2: not readable as TOML: Invalid value (column 8)\n"
        '    hint:  text goes in quotes: name = "north"; true and false are written small',
    ),
    "table over several lines": (
        STATION + 'tls = { cert = "a",\n key = "b" }\n',
        "tocsin.toml:5: not readable as TOML: Invalid initial character for a key part (column 20)\n"
        "    hint:  a table in braces { … } stays on one line and has no comma before its closing brace",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_has_its_line_value_and_hint(mistake: str, tmp_path: Path) -> None:
    text, printed = MISTAKES[mistake]
    found = problems(tmp_path, text)
    assert found[0] == printed.replace("{folder}", str(tmp_path))


def test_all_problems_are_named_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = '[gateway]\nnam = "x"\n[evidence]\n[[devices]]\nid = "a b"\n' + STATION + "account = 1\nconnections = 0\n"
    lines = [found.partition(": ")[0] for found in problems(tmp_path, text)]
    assert lines == [f"tocsin.toml:{line}" for line in (2, 3, 5, 10, 11)]


def test_no_secret_is_printed_whatever_is_wrong_with_it(tmp_path: Path) -> None:
    text = (
        '[gateway]\ndatabase = ["postgresql://tocsin:hunter22@db/tocsin"]\n'
        '[api]\ntokens = ["hunter22hunter22", { name = "x", tokn = "hunter22", scopes = [] }]\n'
        + STATION
        + 'pasword = "hunter22"\npassword = ["hunter22"]\n'
    )
    found = "\n".join(problems(tmp_path, text))
    assert "pasword: unknown setting" in found
    assert "api.tokens[1]" in found
    assert "hunter22" not in found


def test_a_broken_entry_that_says_disable_is_left_out_alone(tmp_path: Path) -> None:
    file = tmp_path / "tocsin.toml"
    broken = STATION.replace('"arc"', '"old"') + 'account = 1\non_start_error = "disable"\n'
    file.write_text(STATION + broken)
    loaded = load(file, TYPES)
    assert loaded.settings is not None
    assert [entry.name for entry in loaded.settings.destinations] == ["arc"]
    assert loaded.left_out == ("old",)
    assert [problem.line for problem in loaded.errors] == [9]


def test_a_broken_entry_stops_everything_by_default(tmp_path: Path) -> None:
    file = tmp_path / "tocsin.toml"
    file.write_text(STATION + "account = 1\n")
    assert load(file, TYPES).settings is None


def test_file_names_are_relative_to_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    (tmp_path / "arc.pw").write_text("geheim\n")
    file = tmp_path / "tocsin.toml"
    file.write_text(STATION + 'password = { file = "arc.pw" }\ntls = { ca_file = "ca.pem" }\n')
    monkeypatch.chdir("/")
    loaded = load(file, TYPES)
    assert loaded.problems == ()
    assert loaded.settings is not None
    (station,) = loaded.settings.destinations
    assert station.tls.ca_file == str(tmp_path / "ca.pem")
    assert station.password.reveal() == "geheim"
    assert loaded.settings.gateway.data_dir == str(tmp_path / "data")


def test_a_key_of_another_certificate_is_noticed(tmp_path: Path) -> None:
    authority = trustme.CA()
    one, other = authority.issue_cert("gw.example.net"), authority.issue_cert("gw.example.net")
    one.cert_chain_pems[0].write_to_path(str(tmp_path / "gw.pem"))
    other.private_key_pem.write_to_path(str(tmp_path / "gw.key"))
    (found,) = problems(tmp_path, '[api]\ntls = { cert = "gw.pem", key = "gw.key" }\n')
    assert found == "tocsin.toml:2: api.tls.cert: the key gw.key does not belong to the certificate gw.pem"


def test_a_file_that_is_no_certificate_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("hello")
    (found,) = problems(tmp_path, STATION + 'tls = { ca_file = "ca.pem" }\n')
    assert found == 'tocsin.toml:5: destinations[1] "arc" . tls.ca_file: ca.pem holds no certificate in PEM form'


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    loaded = load(tmp_path / "tocsin.toml", TYPES)
    assert loaded.settings is None
    assert [problem.hint for problem in loaded.problems] == [
        "`tocsin init` writes one to start from; -c FILE names another"
    ]


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    file = tmp_path / "tocsin.toml"
    file.write_bytes(b"\xef\xbb\xbf[gateway]\r\nname = 'depot'\r\nnam = 1\r\n")
    assert [problem.line for problem in load(file, TYPES).problems] == [3]


def test_what_is_not_utf_8_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "tocsin.toml"
    file.write_bytes(b'[gateway]\nname = "dep\xf4t"\n')
    (problem,) = load(file, TYPES).problems
    assert (problem.line, problem.message) == (2, "byte 0xf4 is not UTF-8 text")


def test_the_starter_loads_cleanly(tmp_path: Path) -> None:
    text = files("tocsin.config").joinpath("starter.toml").read_text()
    assert problems(tmp_path, text) == []
