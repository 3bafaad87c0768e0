import json
import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from tocsin.app.loading import EntryType, Registries, load
from tocsin.destinations.escaping import Escape
from tocsin.destinations.files import File
from tocsin.destinations.filters import FILTERS, JSON_FILTERS, misused
from tocsin.destinations.settings import DestinationSettings
from tocsin.destinations.template_settings import chosen, in_file, written
from tocsin.destinations.templates import LONGEST_OUTPUT, LONGEST_TEMPLATE, Template, TemplateProblem, compiled
from tocsin.destinations.words import ADDRESS, LISTS, MEDIUM, PLAIN, words
from tocsin.model.event import Address, Event, Location, Place

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
EVENT = Event(
    id="01J8ZQ5C7Q0000000000000001", kind="motion", occurred_at=AT, accepted_at=AT, source="detectors",
    zone="+02:00", device_id="01AD2DD4", place=Place(name="Tür|Süd", area="Depot Nord"),
    location=Location(59.437, -0.0),
)  # fmt: skip
VALUES = words(EVENT, Address("12345", "01", "3"), "E130", "https://x.example/e?a=1&b=2", 4711, "3")
FILES = (File("a.jpg", "image/jpeg", b"12"), File("b.jpg", "image/jpeg", b"345"))


def shown(text: str, escape: Escape = "none", **values: object) -> str:
    return compiled(text, escape, "t").render({**VALUES, **values})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("client={{ site_id }}-{{ area }} zone={{ zone }}", "client=12345-01 zone=3"),
        ("{{ addr.account }}|{{ addr.area }}|{{ addr.receiver }}|", "12345|01||"),
        ("{{ ts }} {{ ts_utc }}", "2026-03-04T07:06:07+02:00 2026-03-04T05:06:07+00:00"),
        ('{{ ts|time("%Y%m%d_%H%M%S") }}', "20260304_070607"),
        ('{{ ts_utc|time("%Y-%m-%dT%H:%M:%SZ") }}', "2026-03-04T05:06:07Z"),
        ("{{ device|ascii }}", "Tuer|Sued"),
        ('{{ device|replace("|", " ")|upper }}', "TÜR SÜD"),
        ('{{ zone|pad(3) }} {{ zone|pad(3, " ") }} {{ "0123"|pad(2) }}', "003   3 0123"),
        ('{{ "007"|int }} {{ site|int }} {{ site|int(5) }}', "7 0 5"),
        ('{{ "099"|plus(1) }} {{ "0"|plus(1) }} {{ "0"|plus(-1) }} {{ site|plus(1) }}', "100 1 0 Depot Nord"),
        ("{{ lat|decimals(6) }},{{ lon|decimals(6) }}", "59.437000,0.000000"),
        ('{{ battery|default("-") }}{{ text|cut(8) }}', "-Movement"),
        ("{{ url|percent }}", "https%3A%2F%2Fx.example%2Fe%3Fa%3D1%26b%3D2"),
        ("{{ restore }}{{ test }}{{ seq }}", "falsefalse4711"),
        ("{% if restore %}R{% elif code == 'E130' %}E{% endif %}", "E"),
        ("{{ 'x' if kind in ['tamper', 'motion'] else 'y' }}{% if not battery and url %}!{% endif %}", "x!"),
        ("{% if 'person' in objects %}P{% endif %}{{ objects|join('+') }} {{ objects|count }}", "Pperson+car 2"),
        ("{% for m in media %}{{ loop.index }}:{{ m.name }}:{{ m.size }}{{ '' if loop.last else ';' }}{% endfor %}",
         "1:a.jpg:2;2:b.jpg:3"),
        ("{% for m in media if m.size == 3 %}\n<{{ m.mime }}>\n{% else %}\nnone\n{% endfor %}\n", "<image/jpeg>\n"),
        ("{# of no interest #}a\r\nb\n", "a\nb\n"),
        ("{{ media }}", "a.jpg, b.jpg"),
    ],
)  # fmt: skip
def test_what_a_template_makes(text: str, expected: str) -> None:
    media = words(EVENT, None, "", "", 1, "", FILES)["media"]
    assert shown(text, objects=["person", "car"], media=media) == expected


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("{{ sit }}", 1, '"sit" cannot stand here, did you mean "site"? Known here: addr, area, battery, code'),
        ("a\nb {{ nonsense }}", 2, "Known here: addr, area, battery, code, device, device_id, event_id"),
        ("{{ addr.zon }}", 1, 'did you mean "addr.zone"? Known here: addr.account, addr.area, addr.prefix'),
        ("{{ addr }}", 1, "addr.account"),
        ("{{ addr.items }}", 1, '"addr.items" cannot stand here'),
        ("{{ site.upper }}", 1, '"site.upper" cannot stand here'),
        ("{{ site.__class__.__mro__ }}", 1, "cannot stand here"),
        ("{{ ''.__class__ }}", 1, "cannot stand here"),
        ("{{ (site).__class__ }}", 1, "cannot stand here"),
        ("{{ addr['zone'] }}", 1, "getitem cannot be used"),
        ("{% for m in media %}{{ m.nam }}{% endfor %}", 1, 'did you mean "m.name"? Known here: m.captured_at'),
        ("{% for m in media %}{{ m }}{% endfor %}", 1, "m.name"),
        ("{% for m in media %}\n{% endfor %}\n{{ m.name }}", 3, '"m.name" cannot stand here'),
        ("{% for a, b in media %}{% endfor %}", 1, "for one in media or objects"),
        ("{% for a in site %}{% endfor %}", 1, "for one in media or objects"),
        ("{% for a in range(9) %}{% endfor %}", 1, "for one in media or objects"),
        ("{% for site in media %}{% endfor %}", 1, '"site" is taken'),
        ("{% for a in media recursive %}{{ loop(a) }}{% endfor %}", 1, "at most 2 deep"),
        ("{% for a in media %}{% for b in media %}{% for c in media %}{% endfor %}{% endfor %}{% endfor %}", 1, "at"),
        ("{{ zone|padd(3) }}", 1, 'did you mean "|pad"? Known here: |ascii'),
        ("{{ text|json }}", 1, '"|json" cannot stand here'),
        ("{{ text|attr('x') }}", 1, '"|attr" cannot stand here'),
        ("{{ zone|pad }}", 1, "takes 1 to 2 values in brackets, here are 0"),
        ("{{ zone|pad('3') }}", 1, "takes a number, not '3'"),
        ("{{ zone|pad(true) }}", 1, "takes a number, not True"),
        ("{{ zone|pad(seq) }}", 1, "takes plain texts and numbers"),
        ("{{ zone|pad(width=3) }}", 1, "takes plain texts and numbers"),
        ("{{ zone|pad(*[3]) }}", 1, "takes plain texts and numbers"),
        ("{{ ts|time('\\ud800') }}", 1, "cannot work with"),
        ("{{ battery < 20 }}", 1, "values are compared by =="),
        ("{{ 'a' in site }}", 1, "values are compared by =="),
        ("{{ 'x' if url }}", 1, "needs its else"),
        ("{{ 'a' * 99999999 }}", 1, "mul cannot be used"),
        ("{{ site ~ zone }}", 1, "concat cannot be used"),
        ("{% set x = 1 %}", 1, "assign cannot be used"),
        ("{% macro m() %}{% endmacro %}", 1, "macro cannot be used"),
        ("{% include '/etc/passwd' %}", 1, "include cannot be used"),
        ("{% extends 'x' %}", 1, "extends cannot be used"),
        ("{{ self }}", 1, '"self" cannot stand here'),
        ("{{ site is defined }}", 1, "test cannot be used"),
        ("a\n{{ site", 2, "unexpected end"),
        ("a\n\n{% if site %}", 3, "Unexpected end"),
        ("{{ " + "(" * 5000 + "site" + ")" * 5000 + " }}", 1, "too deeply"),
        ("{% if site %}" * 50 + "{% endif %}" * 50, 1, "nested more than 20 deep"),
        ("{{ " + "9" * 5000 + " }}", 1, "too large"),
        ("x" * (LONGEST_TEMPLATE + 1), 1, "longer than"),
    ],
)  # fmt: skip
def test_what_a_template_may_not_say(text: str, line: int, part: str) -> None:
    with pytest.raises(TemplateProblem) as caught:
        compiled(text, "line", "immix.txt")
    assert str(caught.value).startswith(f"immix.txt, line {line}: ")
    assert part in str(caught.value)
    assert caught.value.line == line


def test_a_message_without_end_is_not_made() -> None:
    loops = compiled(
        "{% for a in objects %}{% for b in objects %}" + "x" * 60_000 + "{% endfor %}{% endfor %}", "none", "t"
    )
    with pytest.raises(TemplateProblem, match=str(LONGEST_OUTPUT)):
        loops.render({**VALUES, "objects": ["person"] * 20})


HOSTILE = "a\r\nSubject: x\x00\x0b\x85\u2028<b a='1'>&\"\\ü\ud800"


@pytest.mark.parametrize(
    ("escape", "expected"),
    [
        ("line", "[a  Subject: x    <b a='1'>&\"\\ü?]"),
        ("text", "[a\nSubject: x    <b a='1'>&\"\\ü?]"),
        ("xml", "[a \nSubject: x   \u2028&lt;b a=&apos;1&apos;&gt;&amp;&quot;\\ü?]"),
        ("json", "[a\\r\\nSubject: x\\u0000\\u000b\x85\u2028<b a='1'>&\\\"\\\\ü?]"),
        ("none", "[a\r\nSubject: x\x00\x0b\x85\u2028<b a='1'>&\"\\ü?]"),
    ],
)
def test_values_are_made_safe_and_the_template_stays_as_written(escape: Escape, expected: str) -> None:
    values: dict[str, object] = {**VALUES, "text": HOSTILE}
    assert compiled("[{{ text }}]", escape, "t").render(values) == expected


@given(text=st.text())
def test_any_text_survives_json_and_never_leaves_its_line(text: str) -> None:
    values = {**VALUES, "text": text, "objects": [text, 1.5]}
    clean = text.encode("utf-8", "replace").decode()
    made = compiled(
        '{"a": "{{ text }}", "b": {{ text|json }}, "c": {{ objects|json }}, "d": {{ restore }}}', "json", "t"
    )
    assert json.loads(made.render(values)) == {"a": clean, "b": clean, "c": [clean, 1.5], "d": False}
    assert len(compiled("{{ text }}", "line", "t").render(values).splitlines()) <= 1
    root = ET.fromstring(compiled('<a b="{{ text }}">{{ text }}</a>', "xml", "t").render(values))
    assert [len(part or "") for part in (root.text, root.get("b"))] == [len(text), len(text)]


@given(text=st.text(), name=st.sampled_from(sorted({*FILTERS, *JSON_FILTERS})), value=st.one_of(
    st.text(), st.integers(), st.floats(), st.booleans(), st.datetimes(), st.lists(st.text())))  # fmt: skip
def test_no_value_makes_a_filter_fail(text: str, name: str, value: object) -> None:
    function = {**FILTERS, **JSON_FILTERS}[name]
    for arguments in ([], [3], [text], [text, text]):
        if not misused(function, arguments):
            assert len(str(function(value, *arguments))) <= 100_000


@given(st.text(alphabet=st.sampled_from("{}%|.()[]'\" \nsite zone for in if endif media addr pad 3 _")))
def test_any_text_is_a_template_or_has_a_problem(text: str) -> None:
    try:
        template = compiled(text, "xml", "t")
    except TemplateProblem as problem:
        assert str(problem).startswith("t, line ")
    else:
        assert isinstance(template.render(VALUES), str)


def test_the_words_are_the_ones_templates_are_checked_against() -> None:
    made: dict[str, Any] = words(EVENT, None, "", "", 0, "", FILES, "Europe/Berlin")
    assert set(made) == PLAIN | LISTS | {"addr"}
    assert set(made["addr"]) == ADDRESS
    assert set(made["media"][0]) == MEDIUM
    assert made["addr"] == dict.fromkeys(ADDRESS, "")
    assert made["battery"] == "" == made["signal"]
    assert made["ts_local"].isoformat() == "2026-03-04T06:06:07+01:00"
    assert made["text"] == "Movement detected, Tür|Süd"
    assert str(made["lon"]) == "0.0"


def test_every_word_and_filter_stands_on_the_page_about_templates() -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/write-a-template.md").read_text(encoding="utf-8")
    first_cells = "".join(re.findall(r"^\| (`.*?) \|", page, re.MULTILINE))
    shown_words = set(re.findall(r"`([a-z_.0-9]+)", first_cells))
    assert shown_words == PLAIN | LISTS | {f"addr.{part}" for part in ADDRESS} | FILTERS.keys() | JSON_FILTERS.keys()
    assert [part for part in MEDIUM if f"`{part}`" not in page] == []


@pytest.mark.parametrize("written", re.findall(
    r"^\| `([^`]*[{].*)` \|",
    (Path(__file__).parents[2] / "docs/how-to/write-a-template.md").read_text(encoding="utf-8").replace("\\|", "|"),
    re.MULTILINE,
))  # fmt: skip
def test_what_the_page_shows_is_understood(written: str) -> None:
    compiled(written if "endif" in written or "if" not in written[:5] else written + "{% endif %}", "line", "page")


class FakeSettings(DestinationSettings):
    subject: Annotated[Template | None, written("line")] = Field(None, description="")
    template: Annotated[Template | None, written("xml")] = Field(None, description="")
    template_file: Annotated[Template | None, in_file("xml")] = Field(None, description="")


def load_with(folder: Path, lines: str) -> Any:
    class Fake:
        settings = FakeSettings

    types: dict[str, EntryType] = {"fake": Fake()}
    (folder / "tocsin.toml").write_text(f'[[destinations]]\nname = "arc"\ntype = "fake"\n{lines}\n', encoding="utf-8")
    return load(folder / "tocsin.toml", Registries(types, {}))


def test_a_configuration_with_templates(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(b"\xef\xbb\xbf<a>\r\n{{ site }}</a>\r\n")
    loaded = load_with(tmp_path, "subject = '{{ code }} {{ zone|pad(2) }}'\ntemplate_file = 'a.xml'")
    assert loaded.problems == ()
    (entry,) = loaded.settings.destinations
    assert entry.subject.render(VALUES) == "E130 03"
    assert entry.template_file.render({**VALUES, "site": "<"}) == "<a>\n&lt;</a>"
    assert chosen(entry.template, entry.template_file, entry.subject) is entry.template_file
    assert chosen(None, None, entry.subject) is entry.subject
    with pytest.raises(ValueError, match="not both"):
        chosen(entry.subject, entry.template_file, entry.subject)


@pytest.mark.parametrize(
    ("lines", "content", "line", "part"),
    [
        ("\nsubject = '{{ cod }}'", b"", 5, 'the template, line 1: "cod" cannot stand here, did you mean "code"?'),
        ("template_file = 'a.xml'", b"<a>\n{{ cod }}", 4, 'a.xml, line 2: "cod" cannot stand here'),
        ("template_file = 'a.xml'", b"<a>\n\xff", 4, "a.xml, line 2: is not UTF-8 text"),
        ("template_file = 'b.xml'", b"", 4, "b.xml cannot be read: No such file or directory"),
        ("template_file = 'a.xml'", b"x" * 400_000, 4, "longer than"),
        ("subject = 3", b"", 4, "text is expected here"),
    ],
)
def test_a_configuration_with_a_bad_template(tmp_path: Path, lines: str, content: bytes, line: int, part: str) -> None:
    (tmp_path / "a.xml").write_bytes(content)
    (problem,) = load_with(tmp_path, lines).problems
    assert (problem.line, part in problem.message) == (line, True), problem
