"""Other hands' ONVIF: a virtual camera that our connector reads, and clients that read our stand-in cameras."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from onveef import OnvifClient
from onveef.exceptions import OnvifError
from tests.systems.onvif.conftest import JPEG, PASSWORD, Scenes, cameras

SCRIPT = Path(__file__).with_name("ipycam_read.py")
ROOT = Path(__file__).parents[3]


def _namespace() -> str:
    """Why a network of its own cannot be had for the virtual camera; empty if it can."""
    if sys.platform != "linux" or shutil.which("unshare") is None or shutil.which("ip") is None:
        return "no unshare and ip (util-linux, iproute2)"
    tried = subprocess.run(["unshare", "-n", "true"], capture_output=True, text=True, timeout=20, check=False)
    return tried.stderr.strip()


@pytest.fixture(scope="module")
def ipycam(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What was read from ipycam, by password. It listens on every interface, so it gets a network without any."""
    why = _namespace()
    if why:
        pytest.skip(f"ipycam is not tried: {why}")
    command = [
        "unshare",
        "-n",
        "sh",
        "-c",
        'ip link set lo up && ip route add 224.0.0.0/4 dev lo && exec "$0" "$1"',
        sys.executable,
        str(SCRIPT),
    ]
    done = subprocess.run(
        command,
        cwd=tmp_path_factory.mktemp("ipycam"),
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_ipycam_is_found_in_the_network(ipycam: dict[str, Any]) -> None:
    assert ipycam["proposed"] == [["Virtual", ["http://127.0.0.1:8080/onvif/device_service"]]]


def test_ipycam_is_in_the_inventory_online_and_shows_a_picture(ipycam: dict[str, Any]) -> None:
    told = ipycam["sesame"]
    assert "fault" not in told, told
    assert told["devices"] == [
        ["device", "pythoncam-py-000001", "Virtual"],
        ["camera", "pythoncam-py-000001", "Virtual"],
    ]
    assert told["states"] == [["device", "online", "probe_ok"], ["camera", "online", "probe_ok"]]
    assert told["photo"] == "ffd8ff"
    assert told["stream"] == "rtsp://127.0.0.1:8554/video_main"
    assert told["check"][0][0] is True
    assert all("not supported" in note for note in told["notes"])


def test_ipycam_refuses_a_wrong_password(ipycam: dict[str, Any]) -> None:
    told = ipycam["wrong"]
    assert told["fault"].startswith("LoginRefused: 127.0.0.1:8080 refuses the login of user 'viewer'")
    assert told["check"][0][0] is False


async def test_onveef_reads_of_the_stand_in_what_we_read(scene: Scenes) -> None:
    (camera,) = cameras(1, sources=2)
    one = await scene([camera])
    devices = await one.devices()
    box = devices["device", "acme-ac22-0004418"]
    theirs = await asyncio.to_thread(_read_by_onveef, one.ports[0])
    assert theirs["information"]["SerialNumber"] == box.attributes["serial"]
    assert theirs["information"]["Manufacturer"] == box.attributes["vendor"]
    assert theirs["information"]["FirmwareVersion"] == box.attributes["firmware"]
    assert theirs["hostname"] == box.hostname
    assert box.macs[0] in json.dumps(theirs["interfaces"])
    assert [output["token"] for output in theirs["outputs"]] == list(camera.nature.outputs)
    assert {profile["token"] for profile in theirs["profiles"]} == {"P1a", "P1b", "P2a", "P2b"}
    assert theirs["stream"] == await one.system.stream_uri("acme-ac22-0004418:VS1")
    assert theirs["picture"] == await one.system.photo("acme-ac22-0004418:VS1") == JPEG
    assert "/Gate%201" in json.dumps(theirs["scopes"])


async def test_onveef_makes_renews_and_gives_back_a_subscription(scene: Scenes) -> None:
    (camera,) = cameras(1)
    one = await scene([camera])

    def subscribed() -> int:
        with _onveef(one.ports[0]) as client, client.pull_point() as subscription:
            subscription.renew()
            subscription.set_synchronization_point()
            return len(camera.subscriptions)

    assert await asyncio.to_thread(subscribed) == 1
    assert camera.subscriptions == {}


async def test_a_client_with_the_standards_schema_pulls_the_events_of_the_stand_in(scene: Scenes) -> None:
    """onvif-zeep-async checks each answer against ONVIF's own WSDL."""
    from onvif import ONVIFCamera

    (camera,) = cameras(1)
    one = await scene([camera])
    client = ONVIFCamera("127.0.0.1", one.ports[0], "viewer", PASSWORD, no_cache=True)
    try:
        await client.update_xaddrs()
        points = await client.create_pullpoint_manager(timedelta(seconds=60), lambda: None)
        await camera.notify("tns1:VideoSource/MotionAlarm", {"Source": "VS1"}, {"State": "true"})
        answer = await points.get_service().PullMessages({"MessageLimit": 10, "Timeout": timedelta(seconds=5)})
        (message,) = answer.NotificationMessage
        await points.shutdown()
    finally:
        await client.close()
    assert message.Topic._value_1 == "tns1:VideoSource/MotionAlarm"
    items = message.Message._value_1.Data.SimpleItem
    assert [(item.Name, item.Value) for item in items] == [("State", "true")]


async def test_onveef_is_refused_with_a_wrong_password(scene: Scenes) -> None:
    one = await scene(cameras(1))
    with _onveef(one.ports[0], "wrong") as client, pytest.raises(OnvifError):
        await asyncio.to_thread(client.get_device_information)


def _onveef(port: int, password: str = PASSWORD) -> OnvifClient:
    return OnvifClient("127.0.0.1", port, "viewer", password)


def _read_by_onveef(port: int) -> dict[str, Any]:
    with _onveef(port) as client:
        return {
            "information": client.get_device_information(),
            "hostname": client.get_hostname(),
            "interfaces": client.get_network_interfaces(),
            "outputs": client.get_relay_outputs(),
            "profiles": client.get_profiles(),
            "scopes": client.get_scopes(),
            "stream": client.get_stream_uri(profile_token="P1a"),
            "picture": client.get_snapshot(profile_token="P1a")[0],
        }
