"""A system's facts in canonical form: one snapshot, complete or not. Pure (connectors.md 1.3, 1.4, 1.8, 2.2)."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tocsin.engine.inventory.identities import Identity, device_id
from tocsin.engine.inventory.normal import NAME_LIMIT, clean, mac, place_on_network
from tocsin.engine.inventory.rules import SystemRules, customer_of
from tocsin.model.canonical import Attribute, DeviceRecord
from tocsin.model.inventory import FoundDevice, Note

MOST_ATTRIBUTES = 32
LONGEST_ATTRIBUTE = 256
LONGEST_SUBTYPE = 64
MOST_NOTES = 20
_NO_WORD = re.compile(r"[^a-z0-9]+")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}")
_encode = msgspec.json.Encoder(order="sorted").encode
_pack = msgspec.msgpack.Encoder().encode


class Snapshot(Struct, frozen=True):
    """What one reading found. `doubts` make it partial; `excluded` are ids that a rule or their type leaves out;
    `identities` are of both.
    """

    records: Mapping[str, DeviceRecord]
    identities: Mapping[Identity, str] = {}
    excluded: frozenset[str] = frozenset()
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seen: int = 0
    invalid: int = 0

    @property
    def complete(self) -> bool:
        return not self.doubts

    @property
    def unmapped(self) -> int:
        return sum(not record.customer_id for record in self.records.values())


def snapshot(rules: SystemRules, found: Sequence[FoundDevice | Note], issued: Mapping[Identity, str]) -> Snapshot:
    """Everything a reading yielded, in canonical form. `issued`: ids given before, which stay."""
    devices = [one for one in found if isinstance(one, FoundDevice)]
    told = [one for one in found if isinstance(one, Note)]
    valid = [one for one in devices if one.kind and one.native_key]
    ids = [issued.get((one.kind, one.native_key)) or device_id(rules.name, (one.kind, one.native_key)) for one in valid]
    twice = {each for each, count in Counter(ids).items() if count > 1}
    dummies = _dummies(valid, rules.mac_dup_limit)
    records: dict[str, DeviceRecord] = {}
    excluded: set[str] = set()
    for each, one in sorted(zip(ids, valid, strict=True), key=lambda pair: pair[0]):
        customer = customer_of(rules, one)
        if each in twice:
            continue
        if customer is None or one.type not in rules.include_types:
            excluded.add(each)
        else:
            records[each] = _record(rules.name, each, one, dummies, issued, customer)
    doubts = [clean(one.text, 400) for one in told if one.partial]
    doubts += [f"{each} came more than once: neither is taken, and nothing is removed" for each in sorted(twice)]
    notes = [clean(one.text, 400) for one in told if not one.partial]
    notes += [f"the MAC address {one} is on more than {rules.mac_dup_limit} boxes: a dummy" for one in sorted(dummies)]
    notes += [f"{len(devices) - len(valid)} devices without kind or key left out"] if len(valid) < len(devices) else []
    identities = {(one.kind, one.native_key): each for each, one in zip(ids, valid, strict=True) if each not in twice}
    bounded = (_bounded(doubts), _bounded(notes))
    return Snapshot(records, identities, frozenset(excluded), *bounded, len(devices), len(devices) - len(valid))


def imprint(found: Iterable[FoundDevice | Note]) -> bytes:
    """A digest of all that a system told, in whatever order. A reading is read into the same snapshot under the same
    rules whenever its imprint is the same.
    """
    digest = hashlib.sha256()
    for one in sorted(map(_packed, found)):
        digest.update(one)
    return digest.digest()


def _packed(one: FoundDevice | Note) -> bytes:
    """MessagePack says where each value ends. What it cannot hold, such as half a character, is told as Python does."""
    try:
        return _pack(one)
    except (UnicodeEncodeError, OverflowError):
        return _pack(repr(one).encode())


def content_hash(record: DeviceRecord) -> str:
    """Of all but `last_seen`. Health is told by itself, so that a device going offline is no change of inventory."""
    return hashlib.sha256(_encode(replace(record, last_seen=None) if record.last_seen else record)).hexdigest()


def _dummies(found: Sequence[FoundDevice], limit: int) -> frozenset[str]:
    """Addresses on more boxes than can share one. Channels of one box count once (connectors.md 1.8)."""
    boxes = {
        (each, one.parent or (one.kind, one.native_key)) for one in found for text in one.macs if (each := mac(text))
    }
    counts = Counter(each for each, _ in boxes)
    return frozenset(each for each, count in counts.items() if count > limit)


def _record(
    system: str,
    id_: str,
    found: FoundDevice,
    dummies: frozenset[str],
    issued: Mapping[Identity, str],
    customer_id: str,
) -> DeviceRecord:
    address, why = _mac_of(found, dummies)
    name = clean(found.name, NAME_LIMIT)
    found_ip, found_name = place_on_network(found.address, found.hostname)
    added: dict[str, Attribute] = {**({"mac_dropped": why} if why else {}), **({} if name else {"name_missing": True})}
    added |= {} if found.enabled else {"enabled": False}
    return DeviceRecord(
        id=id_,
        name=name or clean(f"{found.type} {found.native_key}", NAME_LIMIT),
        type=found.type,
        system=system,
        kind=found.kind,
        native_key=found.native_key,
        customer_id=customer_id,
        subtype=_NO_WORD.sub("_", clean(found.subtype, LONGEST_SUBTYPE).lower()).strip("_"),
        mac_address=address,
        ip=found_ip,
        hostname=found_name,
        location=clean(found.location, NAME_LIMIT),
        last_seen=found.last_seen,
        site_id=clean(found.site_id, NAME_LIMIT),
        parent_id=(issued.get(found.parent) or device_id(system, found.parent)) if found.parent else "",
        channel=found.channel,
        attributes=_attributes(found.attributes, added),
        orders=found.orders,
    )


def _mac_of(found: FoundDevice, dummies: frozenset[str]) -> tuple[str, str]:
    """The first usable address; without one, why the first was dropped."""
    given = [text for text in found.macs if text.strip()]
    usable = [each for text in given if (each := mac(text))]
    real = [each for each in usable if each not in dummies]
    if real:
        return real[0], ""
    return "", "dummy" if usable else "invalid" if given else ""


def _attributes(given: Mapping[str, Attribute], added: Mapping[str, Attribute]) -> dict[str, Attribute]:
    room = MOST_ATTRIBUTES - len(added)
    fit = [(key, value) for key, value in sorted(given.items()) if _KEY.fullmatch(key)][:room]
    return {key: clean(value, LONGEST_ATTRIBUTE) if isinstance(value, str) else value for key, value in fit} | dict(
        added
    )


def _bounded(lines: Sequence[str]) -> tuple[str, ...]:
    more = [f"… and {len(lines) - MOST_NOTES} more"] if len(lines) > MOST_NOTES else []
    return (*lines[:MOST_NOTES], *more)
