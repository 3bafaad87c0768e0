"""A default address that a type's settings take is one that its events can go out under."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec.structs import replace
from pydantic import ValidationError
from tests.destinations.conftest import GATE, FixedClock

from tocsin.destinations.registry import DESTINATION_TYPES
from tocsin.destinations.surroundings import Surroundings
from tocsin.model.delivery import DeliveryKey, Due
from tocsin.model.event import Place
from tocsin.model.kinds import Lane
from tocsin.transports.sockets import SocketNetwork

MAIL = {"hosts": ["mail.example.net"], "sender": "gw@example.net"}
LINE = {"hosts": ["192.0.2.5:1025"]}
WEB = {"urls": ["https://arc.example.net/x"]}
NEEDED: dict[str, dict[str, Any]] = {
    "dc09": LINE | {"account": "9280"},
    "webhook": {"url": "https://arc.example.net/in", "site": "9"},
    "email": MAIL | {"to": ["guard@example.net"]},
    "stages": WEB | {"line": "1", "account": "4711"},
    "manitou": LINE | {"account": "9280"},
    "manitou/email": MAIL | {"to": "arc@example.net", "account": "#9280"},
    "osap": WEB | {"api_key": "key", "site": "9"},
    "patriot/api": WEB | {"user": "u", "password": "p", "account": "0011"},
    "sureview/http": {"api_key": "key", "account": "xk72"},
    "sentinel/xml": WEB | {"account": "9280"},
    "immix": MAIL | {"account": "S12345"},
    "sentinel": MAIL | {"to": "{site}@arc.example.net", "account": "12345"},
    "patriot": MAIL | {"to": "arc@example.net", "account": "0011-01"},
    "sureview": MAIL | {"account": "xk72"},
    "ebus": {"hosts": ["ftp.example.net"], "user": "u", "password": "p", "folder": "depot"},
    "surgard": LINE | {"account": "9280"},
    "microkey": LINE | {"account": "9280"},
}
KEYS = {"account", "site", "folder", "area", "zone", "point", "receiver", "line", "prefix"}
SURROUNDINGS = Surroundings(FixedClock(), random.Random(1), SocketNetwork(), lambda occurrence: None)
PLAIN = replace(GATE, place=Place("Gate", area="North depot"), photos=0)

short = st.text("0123456789", min_size=1, max_size=5)
digits = st.text("0123456789", min_size=1, max_size=34)
letters = st.text("0123456789ABCFXYZabz_.-@ ", min_size=1, max_size=70)
text = st.one_of(digits, digits.map(lambda one: "S" + one), letters, letters.map(lambda one: "#" + one))


def test_every_type_with_an_address_is_among_them() -> None:
    assert NEEDED.keys() == DESTINATION_TYPES.keys() - {"cloud"}


@pytest.mark.parametrize("name", NEEDED)
@given(data=st.data())
@hypothesis_settings(max_examples=150, deadline=None)
def test_no_default_address_is_taken_and_then_set_aside(name: str, data: st.DataObject) -> None:
    kind = DESTINATION_TYPES[name]
    keys = sorted(KEYS & kind.settings.model_fields.keys())
    drawn = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(keys, digits | text)))
    mode = {"mode": name.partition("/")[2]} if "/" in name else {}
    table = {"name": "arc", "type": name.partition("/")[0]} | mode | NEEDED[name] | drawn
    try:
        settings = kind.settings.model_validate(table)
    except ValidationError:
        return
    if settings.default_address() is None:
        return
    destination = kind.build(settings, SURROUNDINGS)
    addressed = destination.address(PLAIN, None)
    assert addressed.problem == ""
    due = Due(DeliveryKey(1, "arc"), Lane.ALARM, addressed.address, addressed.queue, 1, PLAIN)
    assert destination.render(due, ())
