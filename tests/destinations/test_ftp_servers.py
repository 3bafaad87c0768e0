"""EBÜS sets and DC-09 pictures on real FTP servers at their usual TLS settings, in both versions of TLS."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.ftpd import PASSWORD, USER, Ftpd, needs, proftpd, vsftpd

from tocsin.destinations.dc09.destination import build as build_dc09
from tocsin.destinations.dc09.settings import Dc09Settings
from tocsin.destinations.ebus.destination import build as build_ebus
from tocsin.destinations.ebus.settings import EbusSettings
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.contracts import Attempt
from tocsin.model.delivery import Due
from tocsin.model.event import Event, Photo
from tocsin.standins.dc09 import Station

SERVERS = {"vsftpd": vsftpd, "proftpd": proftpd}


@pytest.fixture(
    params=[
        pytest.param((name, tls), marks=needs(name), id=f"{name} {tls or 'as it is'}")
        for name in SERVERS
        for tls in ("", "TLSv1.2", "TLSv1.3")
    ]
)
def ftpd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ftpd]:
    name, tls = request.param
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    leaf = authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.RSA)
    leaf.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "pair.pem"))
    (tmp_path / "ftpd").mkdir()
    with SERVERS[name](tmp_path / "ftpd", (str(tmp_path / "pair.pem"),) * 2, tls=tls) as server:
        yield server


def login(server: Ftpd, tmp_path: Path) -> dict[str, Any]:
    tls = {"ca_file": str(tmp_path / "ca.pem")}
    return {"hosts": [server.host], "user": USER, "password": PASSWORD, "tls": tls, "path": "in", "create_dirs": True}


async def test_a_set_and_referred_pictures_go_up(
    ftpd: Ftpd, tmp_path: Path, surroundings: Surroundings, make_event: Callable[..., Event],
    make_due: Callable[..., Due], make_attempt: Callable[..., Attempt], make_photo: Callable[..., Photo],
) -> None:  # fmt: skip
    photos = [make_photo(1), make_photo(2)]
    event = make_event(photos=2)
    ebus = build_ebus(EbusSettings.model_validate({"name": "ebus", **login(ftpd, tmp_path)}), surroundings)
    await ebus.deliver(make_due(event, "depot"), make_attempt(photos))
    expected = {one.name: one.data for one in ebus.render(make_due(event, "depot"), photos)}
    assert {f"in/depot/{name}": (ftpd.inbox / "depot" / name).read_bytes() for name in ftpd.names("depot")} == expected

    receiver = Station(surroundings.clock, random.Random(1))
    table = {
        "name": "arc",
        "hosts": [f"127.0.0.1:{await receiver.start()}"],
        "photos": {"by": "ftp", **login(ftpd, tmp_path)},
    }
    arc = build_dc09(Dc09Settings.model_validate(table), surroundings)
    await arc.deliver(make_due(event, "#9280-001"), make_attempt(photos))
    [message] = receiver.messages
    referred = [value for name, value in message["fields"] if name == "U"]
    assert [(ftpd.root / path).read_bytes() for path in referred] == [photo.data for photo in photos]
    for one in (ebus, arc, receiver):
        await one.aclose()
