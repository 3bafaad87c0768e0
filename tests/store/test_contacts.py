"""When devices were heard, and what was told of it: never back in time, and told with its event or not at all."""

from msgspec.structs import replace
from storekit.values import at, own

from tocsin.model.contact import Condition, Contact, ContactRecord


async def test_nothing_is_known_at_first(store):
    assert await store.contact_record() == ContactRecord()


async def test_the_later_contact_stays(store):
    first, second = Contact("d1", 10.5, at(1), 87), Contact("d2", 11.25)
    await store.note_contacts([first, second], [], 12.125)
    assert await store.contact_record() == ContactRecord(12.125, (first, second))
    await store.note_contacts([Contact("d1", 9.0, at(0), 90), replace(second, heard_on=20.0)], [], None)
    assert await store.contact_record() == ContactRecord(12.125, (first, replace(second, heard_on=20.0)))
    await store.note_contacts([Contact("d1", 30.0, at(5)), Contact("d1", 31.0, at(6))], [], 40.0)
    assert (await store.contact_record()).contacts[0] == Contact("d1", 31.0, at(6), 87), "the level is known still"
    await store.note_contacts([], ["d1", "never"], 41.0)
    assert [one.device_id for one in (await store.contact_record()).contacts] == ["d2"]


async def test_a_condition_is_kept_with_its_event(store):
    lost = Condition("d1", "connection", "lost", 1)
    [told] = await store.accept([replace(own("connection-1-x", "1"), condition=lost)])
    assert (await store.contact_record()).conditions == (lost,)
    good = Condition("d1", "connection", "good", 2)
    low = Condition("d1", "battery", "low", 1)
    await store.accept(
        [
            replace(own("connection-2-x", "2"), condition=good),
            replace(own("connection-1-x", "1"), condition=lost),
            replace(own("battery-1-x", "3"), condition=low),
        ]
    )
    assert set((await store.contact_record()).conditions) == {good, low}
    assert (await store.accept([replace(own("connection-1-x", "1"), condition=lost)]))[0].seq == told.seq


async def test_what_the_device_says_itself_and_what_is_older(store):
    await store.put_conditions([Condition("d1", "battery", "low", 3), Condition("d\0", "battery", "low", 1)])
    await store.put_conditions([Condition("d1", "battery", "good", 2)])
    assert (await store.contact_record()).conditions == (
        Condition("d1", "battery", "low", 3),
        Condition("d␀", "battery", "low", 1),
    )


async def test_several_changes_of_one_device_at_once_leave_the_last(store):
    changes = [Condition("d1", "battery", state, n) for n, state in ((1, "low"), (3, "low"), (2, "good"))]
    await store.put_conditions(changes)
    assert (await store.contact_record()).conditions == (changes[1],)
