"""`tocsin check`: what would fail at every delivery is told at the desk, at the setting that is to be changed."""

from pathlib import Path

import pytest
import trustme
from tests.cli.conftest import Tocsin

ENTRY = '[[destinations]]\nname = "arc"\n'
MAIL = 'hosts = ["mail.example.net"]\nsender = "gw@example.net"\n'
MANITOU = ENTRY + 'type = "manitou"\nhosts = ["127.0.0.1:9000"]\naccount = "9280"\n'
IMMIX = ENTRY + f'type = "immix"\n{MAIL}account = "S12345"\n'
SENTINEL = ENTRY + f'type = "sentinel"\n{MAIL}to = "{{site}}@arc.example.net"\naccount = "12345"\n'
XML = ENTRY + 'type = "sentinel"\nmode = "xml"\nurls = ["https://arc.example.net/x"]\naccount = "9280"\n'
PATRIOT = ENTRY + f'type = "patriot"\n{MAIL}to = "arc@example.net"\naccount = "0011-01"\n'
SUREVIEW = ENTRY + f'type = "sureview"\n{MAIL}account = "xk72mnp4ab"\n'
EBUS = ENTRY + 'type = "ebus"\nhosts = ["ftp.example.net"]\nuser = "gw"\npassword = "secret"\nfolder = "depot"\n'
STAGES = ENTRY + 'type = "stages"\nurls = ["https://arc.example.net/r.asmx"]\nline = "1"\naccount = "4711"\n'
OSAP = ENTRY + 'type = "osap"\nurls = ["https://arc.example.net"]\napi_key = "key"\nsite = "9"\n'
WEBHOOK = ENTRY + 'type = "webhook"\nurl = "https://arc.example.net/in"\nsite = "9"\n'
EMAIL = ENTRY + f'type = "email"\n{MAIL}to = ["guard@example.net"]\n'

WRONG = {
    "a blank between two hosts": (
        MANITOU.replace("127.0.0.1:9000", "192.0.2.5 192.0.2.6:9000"),
        "tocsin.toml:4: destinations[1] \"arc\" . hosts[1]: a host has no ' ' in it; each host stands in quotes of its "
        "own\n",
    ),
    "a path behind the host": (
        MANITOU.replace("127.0.0.1:9000", "arc.example.net/alarms:9000"),
        ". hosts[1]: a host has no '/' in it; leave out the path\n",
    ),
    "a number of an address too large": (
        MANITOU.replace("127.0.0.1", "192.0.2.300"),
        ". hosts[1]: 192.0.2.300 is no IPv4 address: its numbers go up to 255\n",
    ),
    "two full stops in a mail server": (
        IMMIX.replace("mail.example", "mail..example"),
        ". hosts[1]: a host's name has parts of 1 to 63 characters between its full stops\n",
    ),
    "port 0 of an FTP server": (
        EBUS.replace("ftp.example.net", "ftp.example.net:0"),
        ". hosts[1]: nothing listens on port 0: leave it out for the usual one, or give the station's\n",
    ),
    "a part of a URL's host missing": (
        STAGES.replace("arc.example", "arc..example"),
        ". urls[1]: no usable address: a host's name has parts of 1 to 63 characters between its full stops\n",
    ),
    "the template of a URL": (
        WEBHOOK.replace("arc.example.net", "<station>"),
        ". url: no usable address: a host has no '<' in it\n",
    ),
    "two URLs in one": (
        OSAP.replace("arc.example.net", "a.example.net,b.example.net"),
        ". urls[1]: no usable address: a host has no ',' in it; each host stands in quotes of its own\n",
    ),
    "the scheme twice": (
        XML.replace("https://", "https://https://"),
        ". urls[1]: no usable address: https:// stands before a second https://\n",
    ),
    "a URL's address with leading zeros": (
        STAGES.replace("arc.example.net", "192.000.002.005"),
        ". urls[1]: no usable address: 192.000.002.005 is no IPv4 address of four numbers without leading zeros\n",
    ),
    "a port in the certificate's name": (
        MANITOU + 'tls = { server_name = "arc.example.net:9000" }\n',
        "tocsin.toml:6: destinations[1] \"arc\" . tls.server_name: a host has no ':' in it; leave out the port\n",
    ),
    "an own address that leads nowhere": (
        IMMIX.replace("mail.example.net", "192.0.2.5") + 'source_address = "2001:db8::1"\n',
        'tocsin.toml:7: destinations[1] "arc" . source_address: no connection leads from it to any of hosts\n',
    ),
    "a refusal that fits every acknowledgement": (
        MANITOU + 'ack = "<Ack"\nnak = "<A"\n',
        'tocsin.toml:7: destinations[1] "arc" . nak: fits every acknowledgement too, which would count as a refusal\n'
        '    value: "<A"\n',
    ),
    "a packet without the number that acknowledges it": (
        MANITOU + 'packet_file = "own.xml"\n',
        'tocsin.toml:6: destinations[1] "arc" . packet_file: no packet has its number {{ packet_id }}, and ack asks '
        "for it\n",
    ),
    "the other layout with this one's acknowledgement": (
        MANITOU + 'packet = "observed"\nack = \'<Ack*ID="{seq}"\'\n',
        ". ack: no packet has its number {{ packet_id }}, and ack asks for it\n",
    ),
    "a heartbeat without the number that acknowledges it": (
        MANITOU + 'heartbeat = "<Heartbeat/>"\n',
        ". heartbeat: no heartbeat has its number {seq}, and ack asks for it\n",
    ),
    "a client longer than Patriot's": (
        PATRIOT.replace("0011-01", "12345678901234567-01"),
        'tocsin.toml:7: destinations[1] "arc" . account: is no client number of Patriot: up to 16 letters and digits\n'
        '    value: "12345678901234567-01"\n',
    ),
    "a panel's client longer than Patriot's": (
        PATRIOT + 'accounts = { "77" = "12345678901234567" }\n',
        'tocsin.toml:8: destinations[1] "arc" . accounts.77: is no client number of Patriot: ',
    ),
    "an alarm point that is no mail address": (
        SUREVIEW.replace("xk72mnp4ab", "xk72..mnp4ab"),
        'tocsin.toml:6: destinations[1] "arc" . account: is no address of an alarm point, such as xk72mnp4ab\n',
    ),
    "an FTP password of two lines": (
        EBUS.replace('"secret"', '"user\\nsecret"'),
        'tocsin.toml:6: destinations[1] "arc" . password: no FTP server can be told a password of several lines\n',
    ),
    "an area wider than the code": (
        STAGES + 'area = "123"\n',
        'tocsin.toml:7: destinations[1] "arc" . area: does not fit into the code, which has 2 digits for it\n'
        '    value: "123"\n    hint:  code_style = "short", ',
    ),
    "a point wider than the code": (
        STAGES + 'point = "1234"\n',
        ". point: does not fit into the code, which has 3 digits for it\n",
    ),
    "a key of blanks": (OSAP.replace('"key"', '" "'), ": api_key is not plain ASCII on one line\n"),
    "no time to deliver": (
        WEBHOOK + 'retry = { expire = "0s" }\n',
        'tocsin.toml:6: destinations[1] "arc" . retry.expire: must be greater than 0 seconds\n',
    ),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_what_can_never_be_delivered_is_an_error(mistake: str, tocsin: Tocsin, tmp_path: Path) -> None:
    text, printed = WRONG[mistake]
    (tmp_path / "tocsin.toml").write_text(text)
    (tmp_path / "own.xml").write_text("<Packet>{{ code }}</Packet>")
    ended = tocsin("check")
    assert ended.code == 2, ended.out
    assert printed in ended.out
    assert ended.out.endswith("tocsin.toml: not usable, 1 error, 0 warnings\n")
    assert "secret" not in ended.out


def test_a_template_too_long_for_any_event_is_an_error(tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text(("{{ ''|pad(200, 'x')|replace('x', '" + "y" * 100 + "') }}") * 100)
    (tmp_path / "tocsin.toml").write_text(SENTINEL + 'template_file = "own.txt"\n')
    ended = tocsin("check")
    assert ended.code == 2, ended.out
    assert "own.txt, line 1: makes a message of more than 1048576 characters" in ended.out


DOUBTFUL = {
    "braces that stand for nothing": (
        SENTINEL.replace("{site}", "{account}"),
        'tocsin.toml:6: warning: destinations[1] "arc" . to: the mail goes to the braces as they stand: only {site} '
        'stands for a number\n    hint:  "{site}@arc.example.net"\n',
    ),
    "a time that is always the same": (
        IMMIX + 'time = { format = "dd/MM/yyyy" }\n',
        'tocsin.toml:7: warning: destinations[1] "arc" . time.format: writes the same for every time\n'
        '    hint:  as strftime has it, such as "%d.%m.%Y %H:%M:%S"\n',
    ),
    "a date of blanks": (STAGES + 'time_format = " / "\n', ". time_format: writes the same for every time\n"),
    "XML that is none": (
        IMMIX + 'template = "<Alarm>{{ code }}"\n',
        'tocsin.toml:7: warning: destinations[1] "arc" . template: makes mails that are no XML document: ',
    ),
    "a second declaration": (
        IMMIX + 'xml_declaration = true\ntemplate_file = "own.xml"\n',
        ". template_file: makes mails that are no XML document: XML declaration allowed only at the start",
    ),
    "an empty file": (XML + 'template_file = "empty"\n', ". template_file: makes no XML document: Document is empty"),
    "an empty mail": (SENTINEL + 'template_file = "empty"\n', ". template_file: makes mails without any text\n"),
    "a line that Patriot cannot read": (
        PATRIOT + 'template = "{{ site_id }} {{ text }}"\n',
        ". template: makes mails without client=, and Patriot reads none\n",
    ),
    "a packet that is no XML": (
        MANITOU + 'ack = "*"\npacket_file = "empty"\n',
        ". packet_file: makes no XML document: Document is empty",
    ),
    "a packet without room for pictures": (
        MANITOU + 'ack = "*"\npacket_file = "own.xml"\nphotos = "jpg"\n',
        ". packet_file: has no place for photos: none goes out\n    hint:  {{ pictures }}\n",
    ),
    "kilobytes for bytes": (
        EMAIL + 'photos = { as = "attached", max_bytes = 500 }\n',
        'tocsin.toml:7: warning: destinations[1] "arc" . photos.max_bytes: in 500 bytes there is no room for a '
        "picture: all are left out\n",
    ),
    "given up while it is held": (
        WEBHOOK + 'retry = { expire = "5s" }\n',
        ". retry.expire: events are given up after 5 s, and one may be held 10 s for its photos and classification\n",
    ),
    "a host that is never tried": (
        MANITOU.replace('"127.0.0.1:9000"', '"127.0.0.1:9000", "127.0.0.1:9001"')
        + 'ack_timeout = "60s"\nresends = 4\n',
        'tocsin.toml:4: warning: destinations[1] "arc" . hosts: while the others stay silent, 305 s each, the last is '
        "never tried: an attempt ends after 300 s\n",
    ),
    "a filter that says the opposite of itself": (
        WEBHOOK + 'filter = { kinds = ["tamper"], exclude_kinds = ["tamper"] }\n',
        'tocsin.toml:6: warning: destinations[1] "arc" . filter: lets no event through\n',
    ),
    "a filter for no state": (WEBHOOK + "filter = { states = [] }\n", ". filter: lets no event through\n"),
    "a link without a page": (
        WEBHOOK + "links = true\n",
        'tocsin.toml:6: warning: destinations[1] "arc" . links: no event has a page to link to without '
        "gateway.public_url\n",
    ),
    "STARTTLS on the port of TLS": (
        EMAIL.replace("mail.example.net", "mail.example.net:465"),
        'tocsin.toml:1: warning: destinations[1] "arc" . tls.mode: what listens on port 465 usually begins with TLS\n'
        '    hint:  "implicit" or another port\n',
    ),
    "TLS on the port of STARTTLS": (
        EMAIL + 'tls = { mode = "implicit" }\nport = 587\n',
        ". tls.mode: what listens on port 587 usually does not begin with TLS, as mode implicit does\n",
    ),
    "explicit FTP on the port of TLS": (
        EBUS + "port = 990\n",
        ". tls.mode: what listens on port 990 usually begins with TLS\n",
    ),
    "https on the port of http": (
        STAGES.replace("example.net", "example.net:80"),
        'tocsin.toml:4: warning: destinations[1] "arc" . urls: what listens on port 80 usually speaks http\n',
    ),
    "a folder per camera that nobody makes": (
        EBUS + 'layout = "camera-dir"\n',
        'tocsin.toml:8: warning: destinations[1] "arc" . layout: puts files into folders within the source\'s own; the '
        "server refuses them where one is missing\n    hint:  create_dirs = true, ",
    ),
    "a login that is not sent": (
        STAGES + 'user = "u"\npassword = "p"\nfields = ["Line", "Account", "SignalCode"]\n',
        ". fields: user and password are not sent without UserName and UserPassword\n",
    ),
    "elements that are not sent": (
        STAGES + 'area_point_elements = true\nfields = ["Line", "Account", "SignalCode"]\n',
        ". fields: area_point_elements is set, but neither Area nor Point is among them\n",
    ),
    "the version in the address": (
        OSAP.replace("example.net", "example.net/v1"),
        ". urls: /v1/events is added, and /v1 would stand there twice\n",
    ),
    "an empty token": (
        WEBHOOK + 'token = { env = "ARC_TOKEN" }\n',
        'tocsin.toml:6: warning: destinations[1] "arc" . token: is empty\n',
    ),
    "a zone beyond Patriot's": (PATRIOT + 'zone = "70000"\n', ". zone: is beyond 65000: events go out without it\n"),
    "the scheme in the token": (
        WEBHOOK + 'token = "Bearer abcdef"\n',
        ". token: the word Bearer is put before it by the gateway, and would stand there twice\n",
    ),
    "the question mark in the query": (
        WEBHOOK + 'query = "?key=abcdef"\n',
        ". query: the question mark is put before it by the gateway, and would stand there twice\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DOUBTFUL)
def test_what_will_hardly_be_read_is_a_warning(case: str, tocsin: Tocsin, tmp_path: Path) -> None:
    text, printed = DOUBTFUL[case]
    (tmp_path / "tocsin.toml").write_text(text)
    (tmp_path / "own.xml").write_text('<?xml version="1.0"?>\n<Packet>{{ code }}</Packet>')
    (tmp_path / "empty").write_text("")
    ended = tocsin("check", ARC_TOKEN="")
    assert ended.code == 0, ended.out
    assert printed in ended.out
    assert ended.out.endswith("fine, 0 errors, 1 warning\n")
    assert "abcdef" not in ended.out


def test_a_certificate_is_no_login_where_there_is_no_tls(tocsin: Tocsin, tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("gw.example.net")
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "gw.pem"))
    issued.private_key_pem.write_to_path(str(tmp_path / "gw.key"))
    text = OSAP.replace('api_key = "key"', 'tls = { cert = "gw.pem", key = "gw.key" }')
    (tmp_path / "tocsin.toml").write_text(text)
    assert tocsin("check").out.endswith("fine, 0 errors, 0 warnings\n")
    (tmp_path / "tocsin.toml").write_text(text.replace("https://", "http://"))
    assert ". urls: the login is by certificate, and http://arc.example.net has no TLS" in tocsin("check").out


FITTING = {
    "names and addresses of all kinds": MANITOU.replace(
        '"127.0.0.1:9000"', '"localhost:1", "[::1]:9000", "127.1:9000", "127.0.0.1:65535"'
    ),
    "names that stand in many a network": IMMIX.replace(
        '"mail.example.net"',
        '"mail_1", "MAIL.example.net.", "xn--mller-kva.example", "::1", "[::1]:25", "192.0.2.5:26"',
    ),
    "URLs": XML.replace(
        '"https://arc.example.net/x"',
        '"https://arc_1/x", "https://arc.example.net.:8443//https://x?y=1", "https://[2001:db8::1]/x", "HTTPS://192.0.2.5"',
    ),
    "a certificate's name": MANITOU + 'tls = { server_name = "*.example.net" }\n',
    "an own address of the right family": IMMIX + 'source_address = "2001:db8::1"\n',
    "any answer to any packet": MANITOU + 'ack = "*"\nnak = "<Nak"\npacket_file = "own.xml"\nheartbeat = "<H/>"\n',
    "a refusal told apart by what it says": MANITOU
    + "ack = '<Answer*OK*ID=\"{seq}\"'\nnak = '<Answer*NO*ID=\"{seq}\"'\n",
    "a packet with its number": MANITOU + 'packet_file = "numbered.xml"\nphotos = "jpg"\n',
    "no heartbeat": MANITOU + 'heartbeat = "<H/>"\nheartbeat_every = "off"\n',
    "the longest client": PATRIOT.replace("0011-01", "1234567890123456-01") + 'zone = "65000"\n',
    "a site's own line": PATRIOT + 'template = "client={{ site_id }} zone={{ zone }}"\n',
    "a wide area": STAGES + 'area = "123"\npoint = "00000012"\ncode_style = "short"\n',
    "leading zeros": STAGES + 'area = "01"\npoint = "001"\n',
    "a time without a date": STAGES + 'time_format = "%H:%M:%S"\n',
    "a mail for people": SENTINEL + 'time = { format = "%d.%m. %H Uhr" }\ntemplate = "{{ when }}"\n',
    "folders that are made": EBUS + 'layout = "camera-dir"\ncreate_dirs = true\n',
    "pictures in folders that do not go out": EBUS + 'picture_name = "a/{{ unique }}{{ n }}"\nphotos = "none"\n',
    "no pictures": EMAIL + 'photos = { as = "none", max_bytes = 1 }\n',
    "a path before the version": OSAP.replace("example.net", "example.net/osap"),
}


@pytest.mark.parametrize("case", FITTING)
def test_what_could_work_is_no_error_and_no_warning(case: str, tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text(FITTING[case])
    (tmp_path / "own.xml").write_text("<Packet>{{ code }}</Packet>")
    (tmp_path / "numbered.xml").write_text("<Packet>{% if code %}{{ seq }}{% endif %}{{ pictures }}</Packet>")
    ended = tocsin("check")
    assert ended.code == 0, ended.out
    said = [line for line in ended.out.splitlines() if "warning: " in line]
    assert [line for line in said if "changed on the way" not in line] == []


SOURCE = '[[sources]]\nname = "panels"\ntype = "dc09"\nlisten = "127.0.0.1:7001"\n'


def test_panels_and_areas_that_a_station_cannot_be_told_of_are_warnings(tocsin: Tocsin, tmp_path: Path) -> None:
    area = '[[areas]]\nname = "North"\naddresses = { arc = "L1#4711|123" }\n'
    panels = 'accounts = [{ account = "6F01" }, { account = "6F02" }, { account = "1234" }]\n'
    (tmp_path / "tocsin.toml").write_text(area + SOURCE + panels + STAGES)
    ended = tocsin("check")
    assert ended.code == 0
    assert 'tocsin.toml:3: warning: areas[1] "North" . addresses.arc: area 123 of L1#4711|123 does not fit' in ended.out
    assert (
        "tocsin.toml:8: warning: sources[1] \"panels\" . accounts: arc cannot be told of 6F01, 6F02: account '6F01' "
        "has other characters than decimal digits, which Stages does not take; rename it in accounts of arc\n"
        in ended.out
    )
    assert ended.out.endswith("fine, 0 errors, 2 warnings\n")


@pytest.mark.parametrize(
    "entry",
    [
        STAGES + 'accounts = { "6F01" = "1", "6f02" = "2" }\n',
        STAGES + 'filter = { sources = ["api"] }\n',
        STAGES + 'filter = { kinds = ["video_loss"] }\n',
        OSAP,
        SENTINEL,
    ],
)
def test_panels_that_are_renamed_filtered_or_mean_nothing_there_are_none(
    entry: str, tocsin: Tocsin, tmp_path: Path
) -> None:
    panels = 'accounts = [{ account = "6F01" }, { account = "6F02" }]\n'
    (tmp_path / "tocsin.toml").write_text(SOURCE + panels + entry)
    assert tocsin("check").out.endswith("fine, 0 errors, 0 warnings\n")
