"""The stand-in cameras by name: they serve on a port each, say what they were asked, and end well."""

import json
import urllib.error
import urllib.request
from pathlib import Path

from tests.cli.conftest import Tocsin, line_with, started


def test_cameras_on_a_port_each(tmp_path: Path) -> None:
    switches = ("--cameras", "2", "--user", "viewer", "--password", "sesame", "--media2", "--clock-behind", "2h")
    with started(tmp_path, "simulate", "onvif", "--listen", "127.0.0.1:0", *switches) as cameras:
        ports = [line_with(cameras.stderr, r"listening on 127\.0\.0\.1:(\d+)").group(1) for _ in range(2)]
        assert len(set(ports)) == 2
        request = urllib.request.Request(
            f"http://127.0.0.1:{ports[1]}/onvif/device_service",
            b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
            b'<GetScopes xmlns="http://www.onvif.org/ver10/device/wsdl"/></s:Body></s:Envelope>',
            {"Content-Type": "application/soap+xml"},
        )
        try:
            urllib.request.urlopen(request, timeout=30).close()
            answer = b""
        except urllib.error.HTTPError as error:
            answer = error.read()
            error.close()
        assert b"NotAuthorized" in answer, "nobody has logged in"
        told = json.loads(line_with(cameras.stdout, "{").string)
        assert told == {"camera": "Gate 2", "request": "GetScopes", "status": 400}
    assert cameras.returncode == 0


def test_what_cannot_be_used_is_said_plainly(tocsin: Tocsin, tmp_path: Path) -> None:
    for arguments, said in (
        (("--clock-ahead", "1h", "--clock-behind", "1h"), "--clock-ahead or --clock-behind, not both"),
        (("--motion", "often"), "--motion often: expected a duration"),
        (("--picture", "none.jpg"), "the picture none.jpg cannot be read"),
        (("--listen", "nowhere"), 'expected "host:port"'),
    ):
        ended = tocsin("simulate", "onvif", *arguments)
        assert (ended.code, ended.out) == (2, ""), arguments
        assert said in ended.err, arguments
