"""Ids that say themselves whose they are, and those that must be remembered."""

from hypothesis import given
from hypothesis import strategies as st

from tocsin.engine.inventory.identities import Identities, device_id

WORDS = st.text(st.characters(codec=None) | st.sampled_from("a:-_@. "), min_size=1, max_size=8)


@given(st.dictionaries(st.tuples(WORDS, WORDS), st.none() | WORDS, max_size=6))
def test_every_device_keeps_the_id_it_was_given_and_is_found_by_it(given_ids) -> None:
    issued = {each: id_ or device_id("xp", each) for each, id_ in given_ids.items()}
    identities = Identities("xp", issued)
    for identity, id_ in issued.items():
        assert identities.id_of(identity) == id_
        if list(issued.values()).count(id_) == 1:
            assert identities.identity_of(id_) == identity


def test_what_says_itself_whose_it_is_takes_no_memory() -> None:
    issued = {("camera", f"k-{n}"): f"xp:camera:k-{n}" for n in range(1000)} | {("camera", "ö"): "xp:camera:0f"}
    identities = Identities("xp", issued)
    assert identities._ids == {("camera", "ö"): "xp:camera:0f"}
