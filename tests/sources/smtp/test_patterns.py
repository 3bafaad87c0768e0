import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.sources.smtp.patterns import Lines, compiled, matched

CASES = [
    ("Motion at {device}", "MOTION AT Gate 3", {"device": "Gate 3"}),
    ("Motion at {device}", "No motion at Gate 3", None),
    ("*motion*", "No Motion today", {}),
    (
        "{device}: {text} on channel {zone}",
        "NVR-1: Line crossed on Channel 7",
        {"device": "NVR-1", "text": "Line crossed", "zone": "7"},
    ),
    ("gate@alarms.example.net", "Gate@Alarms.example.net", {}),
    ("gate@alarms.example.net", "gate@alarms.example.net.example.org", None),
    ("a*a", "a", None),
    ("*", "", {}),
    ("ends*here", "ends over here, not here", {}),
    ("Grüße {device}", "GRÜSSE x", None),
    ("{device} im hof", "İ cam IM HOF", None),
    ("{device} im hof", "İ cam im hof", {"device": "İ cam"}),
]


@pytest.mark.parametrize(("pattern", "text", "kept"), CASES)
def test_patterns(pattern: str, text: str, kept: dict[str, str] | None) -> None:
    assert matched(compiled(pattern), text) == kept


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("{camera} moved", "{camera} is no part of a mail that can be kept; known are device, text, zone"),
        ("{device}{zone}", "between two open places"),
        ("*{device}", "between two open places"),
        ("{device} and {device}", "names the same part twice"),
    ],
)
def test_patterns_that_cannot_be_used(pattern: str, said: str) -> None:
    with pytest.raises(ValueError) as raised:
        compiled(pattern)
    assert said in str(raised.value)


@given(
    st.sampled_from([pattern for pattern, _, _ in CASES]),
    st.lists(st.sampled_from([text for _, text, _ in CASES]), min_size=1),
)
def test_the_first_line_that_fits_is_found(pattern: str, lines: list[str]) -> None:
    alone = (matched(compiled(pattern), line) for line in lines)
    assert Lines("\n".join(lines)).first(compiled(pattern)) == next((kept for kept in alone if kept is not None), None)


@given(st.lists(st.text(st.characters(exclude_characters="*{}"), min_size=1), min_size=1, max_size=6), st.text())
def test_what_a_pattern_is_made_of_fits_it(literals: list[str], between: str) -> None:
    assert matched(compiled("*".join(literals)), between.join(literals)) is not None


def test_no_text_makes_it_slow() -> None:
    pattern = compiled("*a" * 40 + "*b")
    began = time.process_time()
    assert matched(pattern, "a" * 100_000) is None
    assert time.process_time() - began < 1.0
