import asyncio
import io
import random
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import TypeAdapter

from tocsin.destinations.files import Files
from tocsin.destinations.pictures import Pictures, PictureSettings, files_at_hand, files_of
from tocsin.media.jpeg import JpegFacts, jpeg_facts
from tocsin.model.event import Actor, Address, Event, Photo, Place

from .conftest import GATE, photo_of


def settings_of(**changes: Any) -> PictureSettings:
    return TypeAdapter(Pictures).validate_python(changes)


def large(n: int, side: int = 400) -> Photo:
    written = io.BytesIO()
    Image.frombytes("RGB", (side, side), random.Random(n).randbytes(side * side * 3)).save(written, "JPEG", quality=95)
    return Photo(n, written.getvalue(), sha256(written.getvalue()).hexdigest())


async def test_photos_go_out_byte_for_byte_oldest_first() -> None:
    photos = [photo_of(n) for n in (2, 1, 3)]
    files = await files_of(photos, settings_of(), GATE, "7")
    assert [(file.name, file.content_type) for file in files.files] == [
        (f"20240530_221504_7_0{n}.jpg", "image/jpeg") for n in (1, 2, 3)
    ]
    assert [file.data for file in files.files] == [photos[1].data, photos[0].data, photos[2].data]
    assert files.note == ""
    assert files_at_hand(photos, settings_of(), GATE, "7") == files


@pytest.mark.parametrize("word", ["link", "none"])
async def test_no_files_are_made_where_none_are_wanted(word: str) -> None:
    settings = TypeAdapter(Pictures).validate_python(word)
    assert not settings.sends_files
    assert (await files_of([photo_of(1)], settings, GATE, "")).files == ()
    assert files_at_hand([photo_of(1)], settings, GATE, "").files == ()


async def test_what_is_left_out_is_named() -> None:
    empty, cut = Photo(2, b"", ""), Photo(3, photo_of(3).data[:-3], "")
    photos = [photo_of(1), empty, cut, *(photo_of(n) for n in (4, 5, 6))]
    size = len(photo_of(1).data)
    files = await files_of(photos, settings_of(max_bytes=size + 10), GATE, "")
    assert [file.name for file in files.files] == ["20240530_221504_01.jpg"]
    assert files.note == (
        "1 of 6 photos left out: max_count is 5; photo 2 left out: it is empty; photo 3 left out: "
        "it ends in the middle of the picture; "
        + "; ".join(f"photo {n} left out: with it there would be more than max_bytes = {size + 10}" for n in (4, 5))
    )


async def test_a_large_photo_is_made_smaller_and_the_others_are_not_touched() -> None:
    photos, settings = [photo_of(1), large(2), photo_of(3)], settings_of(max_bytes_each=80_000)
    files = await files_of(photos, settings, GATE, "")
    assert [file.data for file in files.files[::2]] == [photos[0].data, photos[2].data]
    facts = jpeg_facts(files.files[1].data)
    assert isinstance(facts, JpegFacts)
    assert facts.size <= 80_000 < len(photos[1].data)
    assert files.note == f"photo 2 made smaller, from {len(photos[1].data)} to {facts.size} bytes"
    shown = files_at_hand(photos, settings, GATE, "")
    assert [file.name[-6:] for file in shown.files] == ["01.jpg", "03.jpg"]
    assert "it would first be made smaller than 80000" in shown.note


async def test_a_photo_that_cannot_be_made_smaller_is_left_out() -> None:
    noise = large(1)
    broken = bytearray(noise.data)
    broken[broken.index(b"\xff\xdb") + 1] = 0xEF
    files = await files_of([Photo(1, bytes(broken), ""), photo_of(2)], settings_of(max_bytes_each=10_000), GATE, "")
    assert [file.name[-6:] for file in files.files] == ["02.jpg"]
    assert files.note.startswith("photo 1 left out: it cannot be decoded")


async def test_cancelling_stops_the_work() -> None:
    task = asyncio.create_task(files_of([large(1, 1400)], settings_of(max_bytes_each=10_000), GATE, ""))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_clip_takes_what_fits_into_it_and_the_rest_goes_on_its_own() -> None:
    cut = Photo(4, photo_of(4).data[:-3], "")
    photos = [photo_of(1), photo_of(2), photo_of(3, width=40), cut, photo_of(5)]
    files = await files_of(photos, settings_of(**{"as": "avi", "frame_rate": 2}), GATE, "7")
    assert [(file.name, file.content_type) for file in files.files] == [
        ("20240530_221504_7_01.avi", "video/x-msvideo"),
        ("20240530_221504_7_03.jpg", "image/jpeg"),
    ]
    with av.open(io.BytesIO(files.files[0].data)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    assert packets == [photos[0].data, photos[1].data, photos[4].data]
    assert files.files[1].data == photos[2].data
    assert files.note == (
        "photo 4 left out: it ends in the middle of the picture; "
        "photo 3 goes on its own: it has 40×24 pixels, the first 32×24"
    )


async def test_a_sheet_is_one_picture_within_its_limit() -> None:
    photos = [photo_of(1), Photo(2, b"", ""), photo_of(3)]
    files = await files_of(photos, settings_of(**{"as": "sheet"}), GATE, "7")
    assert [(file.name, file.content_type) for file in files.files] == [("20240530_221504_7_01.jpg", "image/jpeg")]
    facts = jpeg_facts(files.files[0].data)
    assert isinstance(facts, JpegFacts)
    assert (facts.width, facts.height) == (68, 24)
    assert files.note == "photo 2 left out: it is empty"


async def test_a_single_picture_needs_no_sheet() -> None:
    one = photo_of(1)
    files = await files_of([one, Photo(2, b"", "")], settings_of(**{"as": "sheet"}), GATE, "")
    assert [file.data for file in files.files] == [one.data]
    assert files.note == "photo 2 left out: it is empty"


@pytest.mark.parametrize(
    ("word", "module", "part"),
    [("avi", "avi", "single pictures instead of a clip: "), ("sheet", "sheet", "single pictures instead of a sheet: ")],
)
@pytest.mark.parametrize("fault", ["crash", "hang", "rubbish"])
async def test_a_child_that_fails_costs_no_picture(
    word: str, module: str, part: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child is replaced by a program that ends badly, never ends, or writes what is neither clip nor picture."""
    program = {"crash": "import os; os.abort()", "hang": "while True: pass", "rubbish": "print('x' * 200)"}[fault]
    python = tmp_path / "python"
    python.write_text(f"#!{sys.executable}\n{program}\n")
    python.chmod(0o755)
    monkeypatch.setattr("tocsin.media.child.sys.executable", str(python))
    monkeypatch.setattr("tocsin.destinations.pictures._PREPARING_S", 0.5)
    photos = [photo_of(1), photo_of(2)]
    files = await files_of(photos, settings_of(**{"as": word}), GATE, "")
    assert [file.data for file in files.files] == [photo.data for photo in photos]
    assert [file.name[-6:] for file in files.files] == ["01.jpg", "02.jpg"]
    assert files.note.startswith(part)


async def test_a_clip_of_nothing_usable_is_single_pictures_or_nothing() -> None:
    settings = settings_of(**{"as": "avi"})
    written = io.BytesIO()
    Image.new("CMYK", (32, 24)).save(written, "JPEG")
    files = await files_of([Photo(1, written.getvalue(), "")], settings, GATE, "")
    assert [file.data for file in files.files] == [written.getvalue()]
    assert files.note == "single pictures: none of them can be in a clip"
    assert await files_of([], settings, GATE, "") == Files()
    assert await files_of([Photo(1, b"", "")], settings, GATE, "") == Files((), "photo 1 left out: it is empty")


async def test_a_clip_does_not_exceed_what_an_event_may_have() -> None:
    photos = [photo_of(1), photo_of(2)]
    most = sum(len(photo.data) for photo in photos)
    files = await files_of(photos, settings_of(**{"as": "avi", "max_bytes": most}), GATE, "")
    assert [file.data for file in files.files] == [photo.data for photo in photos]
    assert f"more than max_bytes = {most}" in files.note


@pytest.mark.parametrize(("word", "part"), [("avi", "a clip"), ("sheet", "a contact sheet")])
def test_what_would_be_made_is_told_before(word: str, part: str) -> None:
    files = files_at_hand([photo_of(1), photo_of(2)], settings_of(**{"as": word}), GATE, "")
    assert len(files.files) == 2
    assert files.note == f"when it is sent, {part} is made of the pictures"


async def test_many_events_at_once_all_get_their_clips() -> None:
    settings = settings_of(**{"as": "avi"})
    found = await asyncio.gather(*(files_of([photo_of(1), photo_of(2)], settings, GATE, "") for _ in range(6)))
    assert [files.files[0].content_type for files in found] == ["video/x-msvideo"] * 6


@pytest.mark.parametrize(
    ("template", "names"),
    [
        ("{{ device|ascii }}_{{ n }}.JPG", ["Tuer_1.jpg", "Tuer_2.jpg"]),
        ("always", ["always.jpg", "always_2.jpg"]),
        ("{{ site }}", ["etc_passwd.jpg", "etc_passwd_2.jpg"]),
        ("{{ zone }}", ["photo_01.jpg", "photo_02.jpg"]),
        ("{{ n }}" + "x" * 300, ["1" + "x" * 99 + ".jpg", "2" + "x" * 99 + ".jpg"]),
        ("{{ n }}\n..", ["1.jpg", "2.jpg"]),
    ],
)
async def test_names_are_one_safe_word_each(template: str, names: list[str], make_event: Any) -> None:
    event = make_event(place=Place(name="Tür", area="../../etc/passwd\r\n"))
    files = await files_of([photo_of(1), photo_of(2)], settings_of(name=template), event, " /.. ")
    assert [file.name for file in files.files] == names


async def test_a_name_that_grows_too_long_costs_the_name_not_the_alarm(make_event: Any) -> None:
    endless = "{% for a in objects %}{% for b in objects %}" + 300 * "x" + "{% endfor %}{% endfor %}{{ n }}"
    event = make_event(actors=(Actor("person"),) * 64)
    files = await files_of([photo_of(1), photo_of(2)], settings_of(name=endless), event, "3")
    assert [file.name for file in files.files] == ["photo_01.jpg", "photo_02.jpg"]


async def test_names_may_hold_the_address_at_the_station() -> None:
    settings, address = settings_of(name="{{ addr.account }}-{{ n }}"), Address("0011", "01")
    assert (await files_of([photo_of(1)], settings, GATE, "", address)).files[0].name == "0011-1.jpg"
    assert files_at_hand([photo_of(1)], settings, GATE, "", address).files[0].name == "0011-1.jpg"


@given(st.text(), st.text(max_size=5))
def test_no_text_makes_a_name_unsafe(text: str, zone: str) -> None:
    event = Event("1", "motion", GATE.occurred_at, GATE.accepted_at, text, place=Place(name=text))
    settings = settings_of(name="{{ device }}{{ zone }}")
    found = files_at_hand([photo_of(1), photo_of(2)], settings, event, zone).files
    assert len({file.name.lower() for file in found}) == 2
    for file in found:
        assert file.name.isascii()
        assert file.name.replace(".", "").replace("_", "").replace("-", "").isalnum()
        assert not file.name.startswith(".")
        assert len(file.name) < 120


@pytest.mark.parametrize("changes", [{"as": "gif"}, {"max_count": 0}, {"name": "{{ nn }}"}, {"names": "x"}])
def test_settings_are_checked(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        settings_of(**changes)
