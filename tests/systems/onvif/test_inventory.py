"""What a fleet is, read from stand-in cameras."""

import re
import ssl
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from tests.systems.onvif.conftest import JPEG, PASSWORD, Scenes, cameras

from tocsin.engine.systems import LoginRefused, Misconfigured, NotSupported, ProtocolFault, UnknownDevice, Unreachable


async def test_a_camera_with_everything_it_says(scene: Scenes) -> None:
    devices = await (await scene(cameras(1, ip="127.0.0.1"))).devices()
    box = devices["device", "acme-ac22-0004418"]
    assert (box.name, box.type, box.macs, box.address, box.hostname, box.location) == (
        "Gate 1", "hardware", ("9c-8e-cd-12-34-01",), "127.0.0.1", "gate", "country/estonia/North depot",
    )  # fmt: skip
    assert box.attributes == {
        "vendor": "Acme", "model": "AC-2200", "firmware": "5.4.1", "serial": "AC22-0004418", "identity": "serial",
    }  # fmt: skip
    camera = devices["camera", "acme-ac22-0004418"]
    assert (camera.type, camera.parent, camera.channel) == ("camera", ("device", "acme-ac22-0004418"), None)
    assert devices["output", "acme-ac22-0004418:Relay0"].type == "io"


async def test_several_cameras_behind_one_address_each_on_its_port(scene: Scenes) -> None:
    devices = await (await scene(cameras(5))).devices()
    assert len([key for kind, key in devices if kind == "camera"]) == 5


@pytest.mark.parametrize("media2", [False, True])
async def test_each_video_source_is_a_camera_whatever_its_profiles(scene: Scenes, media2: bool) -> None:
    (many,) = cameras(1, sources=4)
    many.media2 = media2
    devices = await (await scene([many])).devices()
    found = [one for (kind, _), one in devices.items() if kind == "camera"]
    assert [(one.native_key, one.name, one.channel) for one in found] == [
        (f"acme-ac22-0004418:VS{number}", f"Gate 1 Lens {number}", number - 1) for number in range(1, 5)
    ]


async def test_what_a_device_does_not_have_is_noted_and_the_rest_read(scene: Scenes) -> None:
    (poor,) = cameras(1)
    poor.without = {"GetNetworkInterfaces", "GetHostname", "GetRelayOutputs"}
    found, notes = await (await scene([poor])).read()
    assert [(one.kind, one.macs) for one in found] == [("device", ()), ("camera", ())]
    assert [note.text.partition(": ")[2].partition(":")[0] for note in notes] == [
        "network_interfaces", "hostname", "relay_outputs",
    ]  # fmt: skip
    assert not any(note.partial for note in notes)


async def test_profiles_that_cannot_be_listed_leave_one_camera_and_a_partial_snapshot(scene: Scenes) -> None:
    (broken,) = cameras(1)
    broken.without = {"GetProfiles"}
    found, notes = await (await scene([broken])).read()
    assert [one.attributes.get("profiles_failed") for one in found if one.kind == "camera"] == [True]
    assert [note.partial for note in notes] == [True]


async def test_profiles_that_fail_later_leave_the_cameras_that_were(scene: Scenes) -> None:
    (many,) = cameras(1, sources=3)
    one = await scene([many])
    before = set(await one.devices())
    many.without = {"GetProfiles"}
    assert set(await one.devices()) == before


async def test_an_empty_list_of_services_and_an_own_address_that_is_wrong(scene: Scenes) -> None:
    (odd,) = cameras(1)
    odd.no_services, odd.foreign = True, "http://192.0.2.99"
    one = await scene([odd])
    assert ("camera", "acme-ac22-0004418") in await one.devices()
    assert await one.system.photo("acme-ac22-0004418") == JPEG


async def test_one_that_does_not_answer_makes_the_snapshot_partial(scene: Scenes) -> None:
    well, frozen = cameras(2)
    frozen.frozen = True
    found, notes = await (await scene([well, frozen])).read()
    assert {one.native_key for one in found if one.kind == "camera"} == {"acme-ac22-0004418"}
    assert [(note.partial, "no answer within" in note.text) for note in notes] == [(True, True)]


async def test_nobody_who_answers_is_no_empty_inventory(scene: Scenes) -> None:
    of = cameras(2)
    one = await scene(of)
    for camera in of:
        camera.frozen = True
    with pytest.raises(Unreachable, match=r"no answer within 0\.3 s; likewise 1 more"):
        await one.read()


async def test_a_login_by_http_digest(scene: Scenes) -> None:
    (http,) = cameras(1)
    http.http_digest = True
    one = await scene([http])
    assert ("camera", "acme-ac22-0004418") in await one.devices()
    refused = http.logins_refused
    await one.devices()
    assert http.logins_refused == refused, "the way that worked is taken first"


async def test_a_wrong_clock_is_signed_with_and_told(scene: Scenes) -> None:
    (late,) = cameras(1)
    late.offset = timedelta(hours=-2)
    found, notes = await (await scene([late])).read()
    assert found[0].attributes["clock_skew_s"] == pytest.approx(-7200, abs=2)
    assert ["clock: 7200 s behind" in note.text or "clock: 7201 s behind" in note.text for note in notes] == [True]


async def test_a_device_that_wants_a_login_even_for_its_time(scene: Scenes) -> None:
    (shy,) = cameras(1)
    shy.time_needs_login = True
    assert ("camera", "acme-ac22-0004418") in await (await scene([shy])).devices()


async def test_a_wrong_password_is_tried_three_times_and_no_more(scene: Scenes) -> None:
    (strict,) = cameras(1)
    one = await scene([strict], password="wrong")
    for _ in range(6):
        with pytest.raises(LoginRefused):
            await one.read()
    assert strict.logins_refused == 3
    with pytest.raises(LoginRefused, match="three times; so that it is not locked out, the next try is in 60 min"):
        await one.read()


async def test_a_picture_by_digest(scene: Scenes) -> None:
    one = await scene(cameras(2))
    assert await one.system.photo("acme-ac22-0004419") == JPEG
    assert await one.system.stream_uri("acme-ac22-0004419") == "rtsp://127.0.0.1:554/P1a?channel=1&subtype=0"


async def test_a_picture_said_to_be_on_another_host_is_asked_of_the_device_itself(scene: Scenes) -> None:
    (sly,) = cameras(1)
    sly.picture_at = "http://192.0.2.77:8080/picture.jpg"
    one = await scene([sly])
    assert await one.system.photo("acme-ac22-0004418") == JPEG
    assert sly.requests.count("GET /picture.jpg") == 2, "asked twice: the challenge, then the answer to it"


async def test_what_is_no_picture_is_refused(scene: Scenes) -> None:
    (odd,) = cameras(1)
    odd.picture = b"<html>busy</html>"
    one = await scene([odd])
    with pytest.raises(ProtocolFault, match="gave no picture: it does not start like a JPEG"):
        await one.system.photo("acme-ac22-0004418")
    with pytest.raises(UnknownDevice, match="has no camera nobody"):
        await one.system.photo("nobody")


async def test_siren_by_a_relay_output(scene: Scenes) -> None:
    first, second = cameras(2)
    one = await scene([first, second], devices=[{"siren": "Relay0"}, {}])
    assert "relay output Relay0 on" in await one.system.command("camera", "acme-ac22-0004418", "siren")
    assert first.relays == {"Relay0": "active"}
    await one.system.command("camera", "acme-ac22-0004418", "stop_siren")
    assert first.relays == {"Relay0": "inactive"}
    with pytest.raises(NotSupported, match="has no siren: set siren"):
        await one.system.command("camera", "acme-ac22-0004419", "siren")
    await one.system.command("output", "acme-ac22-0004419:Relay0", "trigger")
    assert second.relays == {"Relay0": "active"}
    with pytest.raises(NotSupported, match="no arm"):
        await one.system.command("camera", "acme-ac22-0004418", "arm")


async def test_check_says_for_each_device_what_is_wrong(scene: Scenes) -> None:
    well, frozen, late, wrong = cameras(4)
    frozen.frozen = True
    late.offset = timedelta(minutes=10)
    wrong.password = "another"
    one = await scene([well, frozen, late, wrong])
    steps = await one.system.check()
    assert [step.ok for step in steps] == [True, False, True, False]
    assert steps[0].detail == ("Acme AC-2200, firmware 5.4.1; 1 camera; 1 relay output; called acme-ac22-0004418")
    assert "no answer within 0.3 s" in steps[1].detail
    assert re.search(r"its clock is \+(599|600) s from the gateway's", steps[2].detail)
    assert "refuses the login of user 'viewer'" in steps[3].detail
    assert PASSWORD not in "".join(step.detail + step.hint for step in steps)


async def test_a_picture_only_by_a_readable_password_is_refused_unless_allowed(scene: Scenes) -> None:
    (old,) = cameras(1)
    old.basic_picture = True
    one = await scene([old])
    with pytest.raises(LoginRefused, match=r"readable password .* over http"):
        await one.system.photo("acme-ac22-0004418")
    assert old.logins_refused == 0, "the password was not sent"
    allowed = await scene([old], clear_login=True)
    assert await allowed.system.photo("acme-ac22-0004418") == JPEG


async def test_tls_with_a_certificate_nobody_knows_is_named_and_with_its_authority_taken(
    scene: Scenes, tmp_path: Path
) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    foreign = await scene(cameras(1), context)
    with pytest.raises(Misconfigured, match="certificate"):
        await foreign.read()
    known = await scene(cameras(1), context, tls={"ca_file": str(tmp_path / "ca.pem")})
    assert ("camera", "acme-ac22-0004418") in await known.devices()
    assert await known.system.photo("acme-ac22-0004418") == JPEG


async def test_a_user_with_few_rights_is_no_wrong_password(scene: Scenes) -> None:
    (strict,) = cameras(1)
    strict.forbidden = {"GetNetworkInterfaces", "GetRelayOutputs", "GetHostname", "GetScopes"}
    one = await scene([strict])
    for _ in range(3):
        found, notes = await one.read()
        assert [device.kind for device in found] == ["device", "camera"]
        assert ["give the user more rights" in note.text for note in notes] == [True] * 4


async def test_a_password_changed_on_the_camera_is_tried_three_times(scene: Scenes) -> None:
    (strict,) = cameras(1)
    one = await scene([strict])
    await one.read()
    strict.password = "another"
    for _ in range(4):
        with pytest.raises(LoginRefused):
            await one.read()
    assert strict.logins_refused == 3
