"""Any answer of an OSAP server is a receipt, a refusal or a later try; any token can stand in a header or is none."""

from datetime import UTC, datetime

from tocsin.destinations.osap.answers import judged, read_token
from tocsin.transports.http import HttpAnswer

NOW = datetime(2024, 5, 30, 19, 15, 4, tzinfo=UTC)
SEEDS = (
    b'\0{"accepted":true,"id":"98e7a9e8-3a3e-4f2a-9c61-0a8f9b1f2d11"}',
    b'\1{"error":"bad_request","message":"no code","details":{}}',
    b'\2{"access_token":"abc","token_type":"Bearer","expires_in":3600,"scope":"osap.write"}',
)


def one(data: bytes) -> None:
    status = (202, 400, 200, 500, 429)[data[0] % 5] if data else 202
    verdict = judged(HttpAnswer(status, "", (), data[1:]), "arc", NOW)
    assert (verdict.word == "delivered") <= (status == 202 and b"accepted" in data.replace(b"\\u", b"accepted"))
    assert verdict.reason or verdict.word == "delivered"
    token = read_token(data[1:])
    assert token is None or (token.access_token.isascii() and token.access_token.isprintable())
