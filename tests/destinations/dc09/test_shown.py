"""Frames as the trace shows them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.destinations.dc09.format import _shown, shown


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (b'\n94A50016"ACK"0001L0#6F01[]\r', '<LF>94A50016"ACK"0001L0#6F01[]<CR>'),
        (b"[#6F01|NBA1][K00112233]", "[#6F01|NBA1][K***]"),
        (b"\n\n\x00\x7f\r", "<LF><LF><00><7F><CR>"),
        ("[IGehäuse]".encode(), "[IGehäuse]"),
        (b"[I\xff]", "[I\\xff]"),
    ],
)
def test_control_bytes_and_keys(frame: bytes, text: str) -> None:
    assert shown(frame) == text


PIECES = st.sampled_from(
    [b"\n", b"\r", b'"ACK"', b"[K", b"0F", b"]", b"\\x", b"\\x0A", b"\\", b"\x7f", b"\xe4", b"[I "]
)


@given(st.lists(PIECES, max_size=6).map(b"".join) | st.binary(max_size=30))
@settings(max_examples=300)
def test_plain_frames_are_shown_as_all_others(frame: bytes) -> None:
    assert shown(frame) == _shown(frame)
