"""Any description gives, for every type of station, an address that its notation takes again, or sentences."""

from tocsin.model.event import Address
from tocsin.protocols.addressing import NOTATIONS, find, tokens

SEEDS = (
    b"Gate cam, SIA:R1L234#567890|00-001; Json:#9999-1 Stages:R1L2#4711|1-1",
    b"Immix:S12345,Sentinel:12345;Patriot:0011-01 SureView:xk72mnp4ab@us.sureviewops.example.net",
    b"Surgard:R01L1#9280|01-001 MicroKey:#9280-001 Manitou:#123588|1-3 EBUS:tor-nord",
    b"Email:a@example.net+b@example.net http://x Tel:123 SIA:#12 Json:# :: , ;",
)


def one(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for prefix in NOTATIONS:
        found = find(text, prefix)
        assert all(warning and warning.isprintable() for warning in found.warnings)
        if isinstance(found.address, Address):
            parts = (found.address.account, found.address.area, found.address.zone)
            assert found.address.account
            assert all(part is None or (part.isascii() and part.isprintable() and " " not in part) for part in parts)
            assert any(token.prefix == prefix for token in tokens(text))
