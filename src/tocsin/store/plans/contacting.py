"""When devices were heard, and what was told of it."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from tocsin.model.contact import Condition, Contact, ContactRecord
from tocsin.store.rows import condition_of, condition_row, contact_of, contact_row, plain
from tocsin.store.steps import Bulk, Query, Steps, each


class Noting(Struct, frozen=True):
    """`listened_s` None: another node keeps count."""

    contacts: Sequence[Contact]
    gone: Sequence[str]
    listened_s: float | None


def write_conditions(conditions: Iterable[Condition]) -> Bulk:
    """The last of each matter; in one order everywhere, so that nodes do not block each other."""
    last = {(one.device_id, one.matter): one for one in sorted(conditions, key=lambda one: one.n)}
    return Bulk("put_conditions", [condition_row(last[key]) for key in sorted(last)])


def _note(noting: Noting) -> Steps[None]:
    last = {one.device_id: one for one in noting.contacts}
    yield Bulk("note_contacts", [contact_row(last[device_id]) for device_id in sorted(last)])
    for device_id in noting.gone:
        yield Query("drop_contact", (plain(device_id),))
    if noting.listened_s is not None:
        yield Query("put_meta", ("listened_ms", str(round(noting.listened_s * 1000))))


def _put_conditions(conditions: Sequence[Condition]) -> Steps[None]:
    yield write_conditions(conditions)


def record() -> Steps[ContactRecord]:
    listened = yield Query("listened")
    contacts = yield Query("contacts")
    conditions = yield Query("conditions")
    seconds = int(listened[0][0]) / 1000 if listened else 0.0
    return ContactRecord(seconds, tuple(map(contact_of, contacts)), tuple(map(condition_of, conditions)))


note = each(_note)
put_conditions = each(_put_conditions)
