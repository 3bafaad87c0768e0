"""Devices of on-prem systems, the ids they were given, their health, and the runs that read them."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from tocsin.model.canonical import DeviceRecord, Health, KeptDevice, Run, SystemStanding
from tocsin.store.inventory import InventoryChange
from tocsin.store.rows import plain
from tocsin.store.steps import Bulk, Query, Row, Steps, each

RUNS_KEPT = 200
_encode = msgspec.json.Encoder().encode
_decode_device = msgspec.json.Decoder(KeptDevice).decode
_decode_health = msgspec.json.Decoder(Health).decode
_decode_run = msgspec.json.Decoder(Run).decode
_decode_standing = msgspec.json.Decoder(SystemStanding).decode


def _keep(change: InventoryChange) -> Steps[None]:
    issued = [(change.system, plain(kind), plain(key), id_) for (kind, key), id_ in change.issued.items()]
    yield Bulk("put_identities", issued)
    yield Bulk("put_inventory", [_row(one) for one in change.devices])
    for id_ in [one.record.id for one in change.devices if one.removal is not None]:
        yield Query("drop_health", (id_,))
    for id_ in change.forgotten:
        yield Query("drop_inventory", (id_,))
    yield Query("put_standing", (change.system, _text(change.standing)))
    yield from _put_run(change.run)


def _row(one: KeptDevice) -> Row:
    return (one.record.id, one.record.system, _text(replace(one, health=None)))


def _text(value: object) -> str:
    return plain(_encode(value).decode())


def _put_healths(healths: Mapping[str, Health]) -> Steps[None]:
    """Many rows in one statement: a source that comes back confirms thousands at once."""
    yield Bulk("put_healths", [(id_, _text(health)) for id_, health in sorted(healths.items())])


def _put_run(run: Run) -> Steps[None]:
    yield Query("put_run", (run.id, run.system, _text(run)))
    yield Query("drop_runs", (run.system, run.system, RUNS_KEPT))


def devices(system: str) -> Steps[list[KeptDevice]]:
    return [_device_of(row) for row in (yield Query("inventory", (system,)))]


def records(ids: Sequence[str]) -> Steps[dict[str, DeviceRecord]]:
    found = [
        _decode_device(body).record for (body,) in (yield Query("inventory_bodies", ([plain(id_) for id_ in ids],)))
    ]
    return {one.id: one for one in found}


def _device_of(row: Row) -> KeptDevice:
    body, health = row
    found = _decode_device(body)
    return replace(found, health=_decode_health(health)) if health else found


def systems() -> Steps[list[str]]:
    return [name for (name,) in (yield Query("inventory_systems"))]


def identities(system: str) -> Steps[dict[tuple[str, str], str]]:
    return {(kind, key): id_ for kind, key, id_ in (yield Query("identities", (system,)))}


def standing(system: str) -> Steps[SystemStanding | None]:
    rows = yield Query("standing", (system,))
    return _decode_standing(rows[0][0]) if rows else None


def run(run_id: str) -> Steps[Run | None]:
    rows = yield Query("run", (plain(run_id),))
    return _decode_run(rows[0][0]) if rows else None


def runs(system: str, limit: int) -> Steps[list[Run]]:
    return [_decode_run(body) for (body,) in (yield Query("runs", (system, limit)))]


keep = each(_keep)
put_healths = each(_put_healths)
put_run = each(_put_run)
