"""The connection file as it is downloaded: odd keys, nulls, zero dates, and who may read it (clearance.md 3.1)."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from tocsin.evidence.registry.connection import ConnectionInvalid, load_connection, read_connection
from tocsin.standins.clearance.keys import Integration

INTEGRATION = Integration("t1", "p1")


def document(**changes):
    integration = INTEGRATION
    made = integration.connection_file(["https://sts.example.net/connect/"], ["https://api.example.net"])
    return {**made, **changes}


def read(**changes):
    return read_connection(json.dumps(document(**changes)).encode())


def key(**changes):
    return {"ServicePrincipalKey": {**document()["ServicePrincipalKey"], **changes}}


def numbers(connection) -> RSAPublicNumbers:
    return connection.key.reveal().public_key.public_numbers()


def test_as_published_with_nulls_and_zero_dates():
    connection = read()
    assert connection.sts == ("https://sts.example.net/connect",)
    assert (connection.client_id, connection.kid) == ("p1@t1", "standin-signing-1")
    assert numbers(connection) == INTEGRATION.signing.public_key().public_numbers()


@pytest.mark.parametrize("encoding", ["padded", "url", "url padded"])
def test_the_numbers_in_every_encoding(encoding):
    given = Integration("t1", "p1", padded=encoding == "padded")
    made = given.connection_file(["https://s"], ["https://a"])
    if encoding == "url padded":
        inner = made["ServicePrincipalKey"]
        pad = {name: value + "=" * (-len(value) % 4) for name, value in inner.items() if name in "nedpq"}
        made["ServicePrincipalKey"] = {**inner, **pad}
    assert numbers(read_connection(json.dumps(made).encode())) == given.signing.public_key().public_numbers()


def test_names_in_any_case_with_a_byte_order_mark_and_without_factors():
    lowered = {name.lower(): value for name, value in document().items()}
    without = {name: value for name, value in lowered["serviceprincipalkey"].items() if name not in ("p", "dq")}
    data = b"\xef\xbb\xbf" + json.dumps({**lowered, "serviceprincipalkey": without}).encode()
    assert read_connection(data).tenant == "t1"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"TenantId": None}, "TenantId is missing"),
        ({"ApiBaseAddresses": []}, "ApiBaseAddresses is missing"),
        ({"ApiBaseAddresses": ["http://api.example.net"]}, "without TLS would send tokens readable"),
        ({"ApiBaseAddresses": ["https://u:p@api.example.net"]}, "expected https://HOST/PATH"),
        ({"SecurityTokenServiceBaseAddresses": ["ftp://x"]}, "expected https://HOST/PATH"),
        ({"ServicePrincipalKey": None}, "ServicePrincipalKey is missing"),
        (key(kty="oct"), "kty is not RSA"),
        (key(d=None), "d is missing, so it cannot sign"),
        (key(n="not base64!"), "n is not base64"),
        (key(n="AQAB"), "its numbers are no RSA key"),
    ],
)
def test_what_cannot_be_used_is_said_without_secrets(changes, said):
    with pytest.raises(ConnectionInvalid) as raised:
        read(**changes)
    assert said in str(raised.value)
    assert document()["ServicePrincipalKey"]["d"] not in str(raised.value)


def test_nothing_of_it_can_be_printed():
    connection = read()
    assert document()["ServicePrincipalKey"]["d"] not in repr(connection)
    assert "standin-api-key" not in repr(connection)


def test_a_file_that_others_may_read_is_refused_unless_it_is_allowed(tmp_path):
    file = tmp_path / "c.json"
    file.write_text(json.dumps(document()))
    file.chmod(0o640)
    with pytest.raises(ConnectionInvalid, match="chmod 600"):
        load_connection(str(file))
    assert load_connection(str(file), allow_world_readable=True).tenant == "t1"
    file.chmod(0o600)
    assert load_connection(str(file)).tenant == "t1"
    with pytest.raises(ConnectionInvalid, match="cannot be read: No such file"):
        load_connection(str(tmp_path / "none.json"))
