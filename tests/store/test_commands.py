"""Commands: requested once, fetched until answered, ended by the device or by time; each change is audited with it."""

import asyncio
from datetime import timedelta

import apsw
import asyncpg
import pytest
from msgspec.structs import replace
from storekit.values import at, own

from tocsin.model.command import Arming, Command, Parameters
from tocsin.model.ids import ulid
from tocsin.store.contract import AuditEntry, CommandFilter, Requested, Retention
from tocsin.store.open import open_store
from tocsin.store.queries import read_sql


def command(number, order="siren", device="siren-1", seconds=0.0, **facts):
    command_id = ulid(int(at(seconds).timestamp() * 1000), number)
    given = {"request_id": command_id, "expires_at": at(seconds + 60), "requested_by": "control:arc"}
    return Command(command_id, device_id=device, order=order, requested_at=at(seconds), **{**given, **facts})


def as_(state, one, **facts):
    return replace(one, state=state, **facts)


async def states(store, **wanted):
    return [one.state for one in await store.commands(CommandFilter(**wanted))]


async def test_from_request_to_confirmation(store):
    one = command(1, source_address="192.0.2.7", parameters=Parameters("leave\x00now", 30))
    assert await store.request([one]) == Requested((one,))
    assert await store.fetch_commands("other", at(1)) == []
    sent = as_("sent", one, sent_at=at(1))
    assert await store.fetch_commands("siren-1", at(1)) == [sent]
    assert await store.fetch_commands("siren-1", at(2)) == [sent], "the answer may have been lost"
    ended = as_("confirmed", sent, ended_at=at(3), result="sounding")
    assert await store.end_command(one.id, "confirmed", "sounding", at(3)) == ended
    assert await store.fetch_commands("siren-1", at(4)) == []
    assert await store.end_command(one.id, "failed", "no", at(5)) == ended, "the first word holds"
    assert await store.end_command("nobody", "failed", "", at(5)) is None
    assert await store.audit_entries(9) == [
        AuditEntry(at(3), "control:arc", "siren", "siren-1", "192.0.2.7", f"confirmed {one.id} sounding"),
        AuditEntry(at(0), "control:arc", "siren", "siren-1", "192.0.2.7", f"requested {one.id}"),
    ]


async def test_what_was_requested_and_fetched_is_there_after_reopening(place):
    store = open_store(place)
    await store.open()
    first, second = command(1, "arm", "d1"), command(2)
    await store.request([first])
    await store.request([second])
    await store.fetch_commands("d1", at(1))
    await store.put_arming(Arming("d9", False, at(0), at(9), True, "eva"))
    await store.aclose()
    again = open_store(place)
    await again.open()
    assert await again.commands(CommandFilter()) == [second, as_("sent", first, sent_at=at(1))]
    assert await again.armings() == [Arming("d9", False, at(0), at(9), True, "eva")]
    await again.aclose()


async def test_nothing_is_fetched_past_its_time(store):
    late, in_time = command(1, "arm", expires_at=at(60)), command(2, expires_at=at(61))
    await store.request([late])
    await store.request([in_time])
    assert [one.id for one in await store.fetch_commands("siren-1", at(60))] == [in_time.id]
    assert await store.fetch_commands("siren-1", at(61)) == [], "nor again, when it was fetched before"


async def test_time_ends_only_what_is_still_as_it_was_seen(store):
    unfetched, sent, answered = command(1), command(2, device="s2"), command(3, device="s3")
    for one in (unfetched, sent, answered):
        await store.request([one])
        if one is not unfetched:
            await store.fetch_commands(one.device_id, at(1))
    await store.end_command(answered.id, "confirmed", "", at(2))
    ended = await store.expire_commands([unfetched.id, sent.id, answered.id], [], at(70))
    assert [(one.id, one.state, one.ended_at) for one in ended] == [(unfetched.id, "expired", at(70))]
    [by_silence] = await store.expire_commands([], [sent.id], at(120))
    assert by_silence.result == "the device fetched it and did not say how it ended; it may have been carried out"
    assert await states(store) == ["confirmed", "expired", "expired"]


async def test_a_late_word_of_the_device_is_still_true_but_only_if_it_had_fetched(store):
    fetched, never = command(1), command(2, device="s2")
    await store.request([fetched])
    await store.request([never])
    await store.fetch_commands("siren-1", at(1))
    await store.expire_commands([never.id], [fetched.id], at(200))
    assert (await store.end_command(fetched.id, "confirmed", "it did sound", at(300))).state == "confirmed"
    assert (await store.end_command(never.id, "confirmed", "", at(300))).state == "expired"


@pytest.mark.parametrize(
    ("earlier", "later", "replaced"),
    [
        ("siren", "stop_siren", True),
        ("siren", "siren", True),
        ("disarm", "arm", True),
        ("arm", "siren", False),
        ("siren", "disarm", False),
    ],
)
async def test_a_later_order_of_the_same_pair_replaces_what_was_not_fetched(store, earlier, later, replaced):
    first, second = command(1, earlier), command(2, later, seconds=5)
    await store.request([first])
    asked = await store.request([second])
    words = f"replaced by {later} {second.id} before the device fetched it"
    gone = (as_("failed", first, ended_at=at(5), result=words),) if replaced else ()
    assert asked == Requested((second,), gone)
    assert [one.id for one in await store.fetch_commands("siren-1", at(6))] == [
        *([] if replaced else [first.id]),
        second.id,
    ]


async def test_what_was_fetched_is_not_replaced(store):
    first, second = command(1), command(2, "stop_siren", seconds=5)
    await store.request([first])
    await store.fetch_commands("siren-1", at(1))
    assert await store.request([second]) == Requested((second,))
    assert [one.order for one in await store.fetch_commands("siren-1", at(6))] == ["siren", "stop_siren"]


async def test_an_idempotency_key_counts_once_for_each_who_uses_it(store):
    group = [command(n, "arm", f"d{n}", request_id="G", idempotency_key="k1") for n in (1, 2)]
    assert await store.request(group) == Requested(tuple(group))
    again = [command(n, "arm", f"d{n}", seconds=9, request_id="H", idempotency_key="k1") for n in (3, 4)]
    assert await store.request(again) == Requested(tuple(group), repeated=True)
    others = command(5, idempotency_key="k1", requested_by="control:other")
    assert not (await store.request([others])).repeated
    without = [command(n, device=f"s{n}") for n in (6, 7)]
    for one in without:
        assert not (await store.request([one])).repeated
    assert len(await store.commands(CommandFilter(request_id="G"))) == 2


async def test_two_nodes_with_the_same_key_at_once_keep_one(place):
    nodes = [open_store(place) for _ in range(4)]
    for node in nodes:
        await node.open()
    asked = await asyncio.gather(
        *(
            node.request([command(10 * n + k, idempotency_key=f"k{k}")])
            for n, node in enumerate(nodes)
            for k in range(9)
        )
    )
    assert sum(not one.repeated for one in asked) == 9
    assert len({one.commands[0].id for one in asked}) == 9
    assert len(await nodes[0].commands(CommandFilter())) == 9
    for node in nodes:
        await node.aclose()


async def test_two_nodes_fetching_at_once_both_get_it_and_it_is_sent(place):
    first, second = open_store(place), open_store(place)
    await first.open()
    await second.open()
    await first.request([command(1)])
    found = await asyncio.gather(*(node.fetch_commands("siren-1", at(1)) for node in (first, second)))
    assert [[one.state for one in each] for each in found] == [["sent"], ["sent"]]
    await first.aclose()
    await second.aclose()


def disarmed(since, until=None, by="control:arc"):
    return Arming("d1", False, since, until, changed_by=by)


async def test_a_confirmed_order_leaves_the_device_armed_or_not(store):
    one = command(1, "disarm", "d1")
    await store.request([one])
    await store.fetch_commands("d1", at(1))
    assert await store.armings() == []
    await store.end_command(one.id, "confirmed", "", at(2), disarmed(at(2), at(90)))
    assert await store.armings() == [disarmed(at(2), at(90))]
    two = command(2, "arm", "d1", seconds=3)
    await store.request([two])
    assert await store.armings() == [disarmed(at(2), at(90))]
    await store.fetch_commands("d1", at(4))
    assert await store.armings() == [disarmed(at(2), at(4))], "it may be armed from now on"
    await store.end_command(two.id, "confirmed", "", at(5), Arming("d1", True, at(5), changed_by="eva"))
    assert await store.armings() == [Arming("d1", True, at(5), changed_by="eva")]


async def test_a_late_word_on_an_earlier_order_does_not_undo_a_later_one(store):
    first, second = command(1, "disarm", "d1"), command(2, "arm", "d1", seconds=3)
    for one in (first, second):
        await store.request([one])
        await store.fetch_commands("d1", at(4))
    await store.end_command(second.id, "confirmed", "", at(5), Arming("d1", True, at(5)))
    assert (await store.end_command(first.id, "confirmed", "", at(6), disarmed(at(6)))).state == "confirmed"
    assert await store.armings() == [Arming("d1", True, at(5))]


async def test_lists_are_newest_first_and_filtered(store):
    given = [command(n, device=f"s{n % 2}", seconds=n) for n in range(6)]
    for one in given:
        await store.request([one])
    newest = [one.id for one in reversed(given)]
    assert [one.id for one in await store.commands(CommandFilter(3))] == newest[:3]
    assert [one.id for one in await store.commands(CommandFilter(3, before=newest[2]))] == newest[3:]
    assert [one.id for one in await store.commands(CommandFilter(command_id=newest[4]))] == [newest[4]]
    assert {one.device_id for one in await store.commands(CommandFilter(device_id="s1"))} == {"s1"}
    assert await states(store, states=frozenset({"requested"})) == ["requested"] * 2
    assert await states(store, states=frozenset({"failed", "requested"})) == ["requested"] * 2 + ["failed"] * 4
    assert await states(store, device_id="\x00") == []


async def test_commands_are_kept_as_long_as_the_audit_and_open_ones_for_ever(store):
    old, still_open, young = command(1), command(2, device="s2"), command(3, device="s3", seconds=1000)
    for one in (old, still_open, young):
        await store.request([one])
    await store.expire_commands([old.id, young.id], [], at(1100))
    edge = at(500)
    long_ago = edge - timedelta(days=900)
    await store.prune(Retention(long_ago, long_ago, long_ago, edge), 100)
    assert [one.id for one in await store.commands(CommandFilter())] == [young.id, still_open.id]


async def test_a_database_of_the_version_before_gets_the_new_tables_and_keeps_what_it_has(place):
    """As an upgrade does: a database with the first schema and an event in it."""
    await _first_form(place)
    store = open_store(place)
    await store.open()
    [kept] = await store.accept([own("E1")])
    assert kept.seq == 1
    await store.request([command(1)])
    assert await states(store) == ["requested"]
    await store.aclose()


async def _first_form(place):
    note = "INSERT INTO meta (name, value) VALUES ('schema', '1'), ('written_by', '0.1.0')"
    if place.startswith("postgresql:"):
        connection = await asyncpg.connect(place)
        await connection.execute(read_sql("postgres", "0001_first.sql"))
        await connection.execute(note)
        await connection.close()
    else:
        with apsw.Connection(place) as connection:
            connection.execute(read_sql("sqlite", "0001_first.sql") + note)
        connection.close()
