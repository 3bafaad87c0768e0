"""Orders to devices: requested, fetched, ended, and what they leave armed; each change together with its audit."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from tocsin.model.command import OPEN_COMMANDS, Arming, Command, CommandState, pair_of
from tocsin.store.contract import AuditEntry, CommandFilter, Requested
from tocsin.store.rows import arming_of, arming_row, audit_row, bounded, command_of, command_row, microseconds, plain
from tocsin.store.steps import Bulk, Query, Steps, each

NOT_FETCHED = "the device did not fetch it in time"
NOT_ANSWERED = "the device fetched it and did not say how it ended; it may have been carried out"


class Fetching(Struct, frozen=True):
    device_id: str
    at: datetime


class Ending(Struct, frozen=True):
    """`arming`: what a confirmed arming order leaves behind."""

    command_id: str
    state: CommandState
    result: str
    at: datetime
    arming: Arming | None


class Expiring(Struct, frozen=True):
    """Identifiers of commands: those never fetched, and those never answered."""

    unfetched: Sequence[str]
    unanswered: Sequence[str]
    at: datetime


def _request(commands: Sequence[Command]) -> Steps[Requested]:
    """All of them or, when the same one has used the key before, what was requested then."""
    first = commands[0]
    if first.idempotency_key:
        rows = yield Query("keyed_commands", (first.requested_by, first.idempotency_key))
        if rows:
            return Requested(tuple(map(command_of, rows)), repeated=True)
    replaced: list[Command] = []
    for command in commands:
        words = f"replaced by {command.order} {command.id} before the device fetched it"
        values = (microseconds(command.requested_at), words, command.device_id, *pair_of(command.order))
        replaced += map(command_of, (yield Query("replace_commands", values)))
    yield Bulk("add_commands", [command_row(command) for command in commands])
    for command in (*replaced, *commands):
        yield from _audited(command, first.requested_at)
    return Requested(tuple(commands), tuple(replaced))


def _audited(command: Command, at: datetime) -> Steps[None]:
    result = " ".join(part for part in (command.state, command.id, command.result) if part)
    entry = AuditEntry(at, command.requested_by, command.order, command.device_id, command.source_address, result)
    yield Query("add_audit", audit_row(entry))


def _fetch(fetching: Fetching) -> Steps[list[Command]]:
    """A device that has fetched its order to arm may be armed from then on, whatever it answers."""
    now = microseconds(fetching.at)
    yield Query("send_commands", (now, fetching.device_id, now))
    found = yield from commands(CommandFilter(1000, device_id=fetching.device_id, states=_OPEN))
    in_time = [one for one in reversed(found) if one.state == "sent" and one.expires_at > fetching.at]
    if any(one.order == "arm" for one in in_time):
        yield Query("end_disarm", (now, fetching.device_id, now))
    return in_time


def _end(ending: Ending) -> Steps[Command | None]:
    rows = yield Query("command_now", (ending.command_id,))
    if not rows:
        return None
    before = command_of(rows[0])
    if not before.takes_result:
        return before
    result = bounded(ending.result)
    after = replace(before, state=ending.state, ended_at=ending.at, result=result)
    yield Query("end_command", (after.state, microseconds(ending.at), result, before.id))
    if ending.arming is not None and not (yield Query("later_arming", (before.device_id, before.id))):
        yield Query("put_arming", arming_row(ending.arming))
    yield from _audited(after, ending.at)
    return after


def _expire(expiring: Expiring) -> Steps[list[Command]]:
    found: list[Command] = []
    for ids, state, words in (
        (expiring.unfetched, "requested", NOT_FETCHED),
        (expiring.unanswered, "sent", NOT_ANSWERED),
    ):
        for command_id in ids:
            values = (microseconds(expiring.at), words, command_id, state)
            found += map(command_of, (yield Query("expire_command", values)))
    for command in found:
        yield from _audited(command, expiring.at)
    return found


def _put_arming(arming: Arming) -> Steps[None]:
    yield Query("put_arming", arming_row(arming))


def commands(wanted: CommandFilter) -> Steps[list[Command]]:
    equal = {"id": wanted.command_id, "request_id": wanted.request_id, "device_id": wanted.device_id}
    conditions: list[tuple[str, tuple[str, ...]]]
    conditions = [(f"{column} = ?", (plain(value),)) for column, value in equal.items() if value]
    if wanted.before:
        conditions.append(("id < ?", (plain(wanted.before),)))
    if wanted.states:
        marks = ", ".join("?" * len(wanted.states))
        conditions.append((f"state IN ({marks})", tuple(sorted(wanted.states))))
        if wanted.states <= OPEN_COMMANDS:
            conditions.append(("state IN ('requested', 'sent')", ()))
    values = tuple(value for _, given in conditions for value in given)
    texts = tuple(text for text, _ in conditions) or ("1 = 1",)
    return [command_of(row) for row in (yield Query("commands", (*values, wanted.limit), texts))]


def armings() -> Steps[list[Arming]]:
    return [arming_of(row) for row in (yield Query("armings"))]


_OPEN = frozenset[CommandState]({"requested", "sent"})
request = each(_request)
fetch = each(_fetch)
end = each(_end)
expire = each(_expire)
put_arming = each(_put_arming)
