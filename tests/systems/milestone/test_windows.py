"""The login of a Windows user against an independent NTLM implementation (connectors.md 4.3)."""

from typing import Any

import pytest

from tocsin.engine.systems import LoginRefused
from tocsin.standins.milestone.switches import Fault, Login

USER = Login("EXAMPLE\\svc-inventory", "p@ss+word&100%", windows=True)
FAST = {"macs": False, "location": "site", "auth": "ntlm"}


async def test_a_windows_user_is_let_in(bench: Any) -> None:
    one = await bench(login=USER, **FAST)
    devices, notes = await one.read()
    assert (len(devices), notes) == (13, [])
    assert [told["status"] for told in one.requests("IDP")] == [401, 401, 200]
    await one.site.happens("revoke", 0)
    await one.read()
    assert [told["status"] for told in one.requests("IDP")] == [401, 401, 200] * 2


@pytest.mark.parametrize(
    ("username", "password"), [("EXAMPLE\\svc-inventory", "wrong"), ("EXAMPLE\\other", USER.password)]
)
async def test_another_password_or_user_is_refused(bench: Any, username: str, password: str) -> None:
    one = await bench(login=USER, username=username, password=password, **FAST)
    with pytest.raises(LoginRefused, match="status 401"):
        await one.read()
    assert "wrong" not in repr(one.occurrences)


async def test_an_xprotect_user_is_no_windows_user(bench: Any) -> None:
    one = await bench(login=USER, macs=False, location="site")
    with pytest.raises(LoginRefused, match="ntlm: Windows"):
        await one.read()


async def test_a_handshake_is_not_taken_to_another_host(bench: Any) -> None:
    other, one = await bench(login=USER, **FAST), await bench(login=USER, **FAST)
    one.site.gateway.redirect_to = f"{other.system._settings.url}/IDP/connect/token"
    one.site.gateway.faults = [Fault("IDP", "redirect", 0)]
    with pytest.raises(Exception, match="Nothing is sent there"):
        await one.read()
    assert other.told == []
