"""What a device is called, and that it keeps its name (connectors.md 6.4)."""

import pytest
from tests.inventory.test_difference import Counted
from tests.systems.onvif.conftest import Scenes, cameras

from tocsin.systems.onvif.facts import Information, Interface
from tocsin.systems.onvif.identity import Claims, chosen_mac, identities, plain_mac, serial_key


@pytest.mark.parametrize(
    ("maker", "serial", "key"),
    [
        ("Acme", "AC22-0004417", "acme-ac22-0004417"),
        ("Acme & Söhne", "9FE 44/17", "acme-s-hne-9fe-44-17"),
        ("Acme", "0123456789", ""),
        ("Acme", "123456", ""),
        ("Acme", "000000000", ""),
        ("Acme", "abcdefgh", ""),
        ("Acme", "4711", ""),
        ("Acme", "", ""),
        ("", "AC22-0004417", "unknown-ac22-0004417"),
    ],
)
def test_serial_numbers_that_name_a_device_and_those_that_do_not(maker: str, serial: str, key: str) -> None:
    assert serial_key(Information(manufacturer=maker, serial=serial)) == key


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("9c-8e-cd-12-34-f0", "9c8ecd1234f0"),
        ("9C8E.CD12.34F0", "9c8ecd1234f0"),
        ("00:00:00:00:00:00", ""),
        ("ff:ff:ff:ff:ff:ff", ""),
        ("01:00:5e:00:00:01", ""),
        ("5792c4:5792c5:5792c6:5792c7:5792c8:5792c9", ""),
        ("", ""),
    ],
)
def test_macs(written: str, plain: str) -> None:
    assert plain_mac(written) == plain


def test_the_mac_of_the_interface_we_are_connected_to() -> None:
    interfaces = [
        Interface(True, "00:00:00:00:00:00", ("192.0.2.11",)),
        Interface(True, "9c:8e:cd:00:00:01", ("198.51.100.1",)),
        Interface(True, "9c:8e:cd:00:00:02", ("192.0.2.11",)),
        Interface(False, "9c:8e:cd:00:00:03", ("192.0.2.11",)),
    ]
    assert chosen_mac(interfaces, "192.0.2.11") == "9c:8e:cd:00:00:02"
    assert chosen_mac(interfaces, "192.0.2.99") == "9c:8e:cd:00:00:01"
    assert chosen_mac([], "192.0.2.11") == ""


def test_a_batch_with_one_serial_number_is_named_by_mac_and_one_mac_by_address() -> None:
    same = [Claims(f"192.0.2.{n}:80", None, "acme-batch99", f"9c8ecd00000{n}") for n in (1, 2)]
    assert [one.identity.key for one in identities(same)] == ["9c8ecd000001", "9c8ecd000002"]
    dummy = [Claims(f"192.0.2.{n}:80", None, "acme-batch99", "9c8ecd000001") for n in (1, 2)]
    assert [(one.identity.key, one.identity.step) for one in identities(dummy)] == [
        ("addr-192.0.2.1-80", "address"),
        ("addr-192.0.2.2-80", "address"),
    ]


def test_a_key_given_is_the_name() -> None:
    assert identities([Claims("192.0.2.1:80", "lobby", "acme-1x2y3z")])[0].identity.key == "lobby"


def test_a_better_value_that_comes_later_changes_no_name() -> None:
    before = identities([Claims("192.0.2.1:80", None, "", "9c8ecd000001")])
    after = identities([Claims("192.0.2.1:80", None, "acme-1x2y3z", "9c8ecd000001")], before)
    assert after[0].identity.key == "9c8ecd000001"


def test_a_second_one_of_a_batch_does_not_rename_the_first() -> None:
    before = identities([Claims("192.0.2.1:80", None, "acme-batch99", "9c8ecd000001")])
    both = [Claims(f"192.0.2.{n}:80", None, "acme-batch99", f"9c8ecd00000{n}") for n in (1, 2)]
    assert [one.identity.key for one in identities(both, before)] == ["acme-batch99", "9c8ecd000002"]


async def test_a_camera_at_a_new_address_keeps_its_name(scene: Scenes) -> None:
    of = cameras(2)
    one = await scene(of)
    before = set(await one.devices())
    elsewhere = await scene(list(reversed(of)))
    assert set(await elsewhere.devices()) == before


async def test_another_camera_at_a_known_address_is_another_device(scene: Scenes) -> None:
    (old,) = cameras(1)
    one = await scene([old])
    assert ("camera", "acme-ac22-0004418") in await one.devices()
    (new,) = cameras(1, serial="AC22-7700001", mac="9c-8e-cd-99-00-01")
    new.password = old.password
    old.nature = new.nature
    assert {key for kind, key in await one.devices() if kind == "camera"} == {"acme-ac22-7700001"}


async def test_a_device_without_any_identity_is_called_by_its_address_and_says_so(scene: Scenes) -> None:
    (dull,) = cameras(1, serial="0123456789", mac="00:00:00:00:00:00")
    one = await scene([dull])
    ((_, key), _, _) = await one.devices()
    assert key == f"addr-127.0.0.1-{one.ports[0]}"
    assert (await one.devices())["camera", key].attributes["weak_identity"] is True
    assert "set key" in (await one.system.check())[0].hint


def test_naming_grows_with_the_fleet_not_with_its_square() -> None:
    """It is done anew after each device that was read: of a thousand it took minutes."""
    costs = []
    for count in (100, 400):
        fleet = [
            Claims(Counted(f"192.0.2.1:{n}"), None, Counted(f"acme-{n:07d}"), Counted(f"{n:012x}"))
            for n in range(count)
        ]
        known = identities(fleet)
        Counted.looks = 0
        assert identities(fleet, known) == known
        costs.append(Counted.looks)
    assert costs[1] < 6 * costs[0]
