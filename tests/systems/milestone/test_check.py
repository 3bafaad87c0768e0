"""`check`: which step failed, and what to do about it (connectors.md 3.2)."""

import re
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from tocsin.standins.milestone.switches import Assumptions, Fault, Login

ALL = ["connect", "TLS", "version", "login", "rights", "recording servers", "events"]


async def steps(one: Any) -> dict[str, Any]:
    return {step.what.partition(" to ")[0]: step for step in await one.system.check()}


async def test_every_step_of_a_site_that_is_well(bench: Any) -> None:
    found = await steps(await bench())
    assert list(found) == ALL
    assert all(step.ok for step in found.values())
    assert found["version"].detail == "XProtect 25.2.16023.1"
    assert "NOT encrypted" in found["TLS"].detail


async def test_a_closed_port(bench: Any) -> None:
    one = await bench()
    await one.site.aclose()
    found = await steps(one)
    assert [(name, step.ok) for name, step in found.items()] == [("connect", False)]
    assert "Check the port, and that the service is running" in found["connect"].detail


@pytest.mark.parametrize(
    ("how", "where", "part"),
    [
        ({"password": "wrong"}, "login", "invalid_username_or_password); check username and password"),
        ({"login": Login(locked=True)}, "login", "unlock it in the Management Client"),
    ],
)
async def test_a_login_that_fails(bench: Any, how: dict[str, Any], where: str, part: str) -> None:
    found = await steps(await bench(**how))
    assert list(found) == ALL[: ALL.index(where) + 1]
    assert not found[where].ok
    assert part in found[where].detail


@pytest.mark.parametrize(
    ("fault", "step", "part"),
    [
        (Fault("well-known", "404", 0), "version", "does not exist on this server"),
        (Fault("well-known", "page", 0), "version", "web page (“Sign in”) instead of JSON"),
        (Fault("well-known", "redirect", 0), "version", "sent on to https://elsewhere.example.net"),
        (Fault("token", "503", 0), "login", "Check the Management Server"),
        (Fault("token", "page", 0), "login", "web page"),
        (Fault("recordingServers", "403", 0), "recording servers", "not for this user"),
        (Fault("roles", "401", 0), "rights", "the login is accepted, but the API Gateway refuses its token"),
        (
            Fault("/rest/", "401", 0),
            "recording servers",
            "the login is accepted, but the API Gateway refuses its token",
        ),
    ],
)
async def test_what_is_wrong_is_said(bench: Any, fault: Fault, step: str, part: str) -> None:
    one = await bench()
    one.site.gateway.faults = [fault]
    found = await steps(one)
    assert not found[step].ok
    assert part in found[step].detail


async def test_what_is_less_than_it_could_be(bench: Any) -> None:
    found = await steps(await bench(assumptions=Assumptions(administrator=False, events="absent", gateways="text")))
    assert all(step.ok for step in found.values())
    assert "may be incomplete" in found["rights"].detail
    assert "only stored events tell of changes" in found["events"].detail


async def test_scenario_30_a_clock_that_is_two_hours_off(bench: Any) -> None:
    one = await bench()
    one.clock.skipped_s = 7200
    version = (await steps(one))["version"]
    assert version.ok
    assert re.search(r"its clock differs from ours by -7(199|200|201) s", version.detail)


async def test_an_event_server_that_is_down(bench: Any) -> None:
    found = await steps(await bench(assumptions=Assumptions(events="down")))
    assert not found["events"].ok


@pytest.fixture
def authority(tmp_path: Path) -> tuple[ssl.SSLContext, str]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return context, str(file)


async def test_tls_with_a_private_authority(bench: Any, authority: tuple[ssl.SSLContext, str]) -> None:
    context, file = authority
    one = await bench(tls_context=context, tls={"ca_file": file})
    found = await steps(one)
    assert all(step.ok for step in found.values())
    assert found["TLS"].detail == "the certificate is accepted"
    devices, _ = await one.read()
    assert len(devices) == 13


async def test_a_foreign_certificate(bench: Any, authority: tuple[ssl.SSLContext, str]) -> None:
    one = await bench(tls_context=authority[0])
    found = await steps(one)
    assert list(found) == ["connect", "TLS"]
    assert not found["TLS"].ok
    assert "give it as tls.ca_file" in found["TLS"].detail
    assert "station" not in found["TLS"].detail
