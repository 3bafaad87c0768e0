"""Any connection file is a connection or a sentence without its secrets."""

from tocsin.evidence.registry.connection import ConnectionInvalid, read_connection

SEEDS = (
    b'{"SecurityTokenServiceBaseAddresses":["https://sts.example.net/connect"],"ApiBaseAddresses":["https://a"],'
    b'"ServicePrincipalId":"p","TenantId":"t","ServicePrincipalKey":{"kty":"RSA","n":"sRk","e":"AQAB","d":"AQ","k":null}}',
    b'{"ServicePrincipalKey":{"kty":"oct","k":"c2VjcmV0"}}',
)


def one(data: bytes) -> None:
    try:
        connection = read_connection(data)
    except ConnectionInvalid as error:
        assert str(error).isprintable()
        return
    assert connection.client_id
    assert "SigningKey(…)" in repr(connection)
