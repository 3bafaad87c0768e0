"""The child process of mp4.py: recordings into one MP4 with its index in front. Packets are copied, never decoded.

Started with memory, seconds and the most bytes the file may have. On stdin one line of JSON, the plan; in mode "frames"
access units behind it (`frames.py`). On stdout lines of JSON: how far it is, at the end what the file contains.
"""

import io
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import chain, dropwhile, islice
from typing import Any

import av
import msgspec

from tocsin.media.decoding_times import WINDOW, with_decoding_times
from tocsin.media.frames import HEAD, FrameHead, head_of
from tocsin.media.in_child import GiveUp, give_up, restrict
from tocsin.media.video_plan import CutPlan, FramesPlan, Piece, PlayPlan, Probed, Progress, Written

TICKS = 90_000
TICK = Fraction(1, TICKS)
LEAST_ROOM, MOST_ROOM, PER_PACKET = 65_536, 64 * 1024**2, 28
"""Bytes of an index. A packet takes 4 for its length, and up to 8 each for its place, its duration and its delay."""
USUAL_RATE, HIGHEST_RATE, AAC_SAMPLES = 30.0, 120.0, 1024
EVERY_S = 5.0
"""Of video, between two reports."""
READABLE = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,avi,h264,hevc,aac"
SAFELY = {"protocol_whitelist": "file", "format_whitelist": READABLE}
"""A foreign file can name no other file and no address."""
OVER_RTSP = {
    "protocol_whitelist": "rtsp,rtsps,rtp,tcp,tls,crypto",
    "format_whitelist": "rtsp,rtp",
    "rtsp_transport": "tcp",
}
VIDEO = {"h264", "hevc", "mjpeg"}
RAW = {"h264": "h264", "h265": "hevc"}


class NoRoom(Exception):
    """The index is larger than the room that was left for it."""


class Output:
    """The file that is written; `first_us` and `last_us` are of presentation, of the video.

    `room`: bytes left in front for the index; 0: the finished file is moved back to make room for it, which reads and
    writes all of it once more.
    """

    def __init__(self, path: str, created_us: int, room: int = 0) -> None:
        self._room = room
        options = {"moov_size": str(room)} if room else {"movflags": "+faststart"}
        self._container = av.open(path, "w", format="mp4", options=options)
        self._container.metadata["creation_time"] = f"{created_us}us"
        self._last_dts: dict[int, int] = {}
        self._told_s = 0.0
        self.frames = 0
        self.first_us: int | None = None
        self.last_us = 0

    def track(self, like: Any) -> Any:
        stream = self._container.add_stream_from_template(like, opaque=True)
        if stream.codec_context.name == "hevc":
            stream.codec_context.codec_tag = "hvc1"  # the only tag widely played (connectors.md 7)
        else:
            stream.codec_context.codec_tag = "\0\0\0\0"
        return stream

    def pictures(self, width: int, height: int) -> Any:
        return self._container.add_mux_stream("mjpeg", rate=25, width=width, height=height)

    def write(self, stream: Any, packet: Any, at_us: int, dts_us: int) -> None:
        """`at_us` and `dts_us` count from the beginning of the file; each track's decoding times grow."""
        shown, dts = round(at_us * TICKS / 1_000_000), round(dts_us * TICKS / 1_000_000)
        last = self._last_dts.get(stream.index)
        dts = dts if last is None else max(dts, last + 1)
        self._last_dts[stream.index] = dts
        packet.stream, packet.time_base = stream, TICK
        packet.pts, packet.dts = max(shown, dts), dts
        self._container.mux_one(packet)

    def shown(self, at_us: int) -> None:
        """A picture of the video is in the file."""
        self.frames += 1
        self.first_us = at_us if self.first_us is None else min(self.first_us, at_us)
        self.last_us = max(self.last_us, at_us)
        seconds = (self.last_us - self.first_us) / 1_000_000
        if seconds >= self._told_s + EVERY_S:
            self._told_s = seconds
            say(Progress(seconds))

    def close(self) -> Written:
        if self.first_us is None:
            raise GiveUp("there is no video in it")
        self._end()
        usual_us = (self.last_us - self.first_us) // max(self.frames - 1, 1)
        return Written(self.first_us, self.last_us + usual_us, self.frames)

    def _end(self) -> None:
        try:
            self._container.close()
        except ValueError as error:
            if not self._room:
                raise
            raise NoRoom from error


def say(what: Progress | Written | Probed) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.buffer.flush()


def cut(plan: CutPlan) -> Written:
    """Pieces of files, one behind the other, as long as they fit into the same tracks."""
    try:
        return joined(plan, room_for(plan))
    except NoRoom:
        return joined(plan, 0)


def room_for(plan: CutPlan) -> int:
    """Bytes for the index of pictures and sounds as the first piece announces them."""
    with av.open(plan.pieces[0].path, options=SAFELY) as source:
        streams = chosen(source, plan.audio)
        # As announced, and a foreign file may announce anything.
        rate = min(max(float(streams["video"].average_rate or USUAL_RATE), 1.0), HIGHEST_RATE)
        sounds = (
            min(streams["audio"].codec_context.sample_rate / AAC_SAMPLES, HIGHEST_RATE) if "audio" in streams else 0.0
        )
    seconds = sum(piece.end_us - piece.start_us for piece in plan.pieces) / 1_000_000
    return min(LEAST_ROOM + int(seconds * (rate + sounds) * PER_PACKET), MOST_ROOM)


def joined(plan: CutPlan, room: int) -> Written:
    output = Output(plan.into, plan.pieces[0].at_us, room)
    tracks: dict[str, Any] = {}
    described: dict[str, tuple[object, ...]] = {}
    for piece in plan.pieces:
        with av.open(piece.path, options=SAFELY) as source:
            streams = chosen(source, plan.audio)
            found = {kind: description(stream) for kind, stream in streams.items()}
            if not tracks:
                tracks, described = {kind: output.track(stream) for kind, stream in streams.items()}, found
            elif found.get("video") != described.get("video"):
                break  # pictures of another size or coding need a file of their own
            same = {kind: stream for kind, stream in streams.items() if found[kind] == described.get(kind)}
            begins = (streams["video"].start_time or 0) * streams["video"].time_base
            Joint(same, tracks, output, plan.pieces[0].at_us).copy(sought(source, piece, same), begins, piece)
    return output.close()


def play(plan: PlayPlan) -> Written:
    """As long as the server plays, at most the length asked for."""
    with av.open(plan.url, options=OVER_RTSP, timeout=(plan.timeout_s, plan.timeout_s)) as source:
        output = Output(plan.into, plan.at_us)
        streams = chosen(source, plan.audio)
        tracks = {kind: output.track(stream) for kind, stream in streams.items()}
        packets = timed(source.demux(*streams.values()), streams["video"].index)
        first = next(packets, None)
        if first is None or first.pts is None:
            raise GiveUp("the server plays nothing")
        begins = first.pts * first.time_base
        piece = Piece("", plan.at_us, 0, plan.length_us)
        Joint(streams, tracks, output, plan.at_us).copy(chain([first], packets), begins, piece)
        return output.close()


def timed(packets: Iterator[Any], video: int) -> Iterator[Any]:
    """What a server sends before it has said what time it is has no times: it is placed before what follows."""
    held: list[Any] = []
    known: list[int] = []
    for packet in packets:
        held.append(packet)
        if packet.stream.index != video:
            continue
        known += [packet.pts] if packet.pts is not None else []
        if len(known) == 2:
            yield from placed(held, known[1] - known[0])
            yield from packets
            return
    yield from held


def placed(held: Sequence[Any], interval: int) -> Iterator[Any]:
    first = next(packet.pts for packet in held if packet.pts is not None)
    untimed = [packet for packet in held if packet.pts is None]
    for n, packet in enumerate(untimed):
        packet.pts = packet.dts = first - (len(untimed) - n) * interval
    yield from held


def chosen(source: Any, audio: bool) -> dict[str, Any]:
    video = [stream for stream in source.streams.video if stream.codec_context.name in VIDEO]
    if not video:
        raise GiveUp("it has no video in H.264, H.265 or JPEG")
    sound = [stream for stream in source.streams.audio if stream.codec_context.name == "aac"] if audio else []
    return {"video": video[0], **({"audio": sound[0]} if sound else {})}


def description(stream: Any) -> tuple[object, ...]:
    context = stream.codec_context
    return (context.name, getattr(context, "width", 0), getattr(context, "height", 0), context.extradata)


def sought(source: Any, piece: Piece, streams: dict[str, Any]) -> Iterator[Any]:
    video = streams["video"]
    if piece.start_us:
        begins = video.start_time or 0
        source.seek(begins + int(Fraction(piece.start_us, 1_000_000) / video.time_base), stream=video)
    packets: Iterator[Any] = source.demux(*streams.values())
    return packets


class StreamClock:
    """A stream's ticks as microseconds since `begins`, in whole numbers: an hour of video has a hundred thousand."""

    def __init__(self, time_base: Fraction, begins: Fraction) -> None:
        self._factor = 2_000_000 * time_base.numerator * begins.denominator
        self._begins = 2_000_000 * begins.numerator * time_base.denominator
        self._half = time_base.denominator * begins.denominator

    def us(self, ticks: int) -> int:
        """Rounded to the nearest."""
        return (ticks * self._factor - self._begins + self._half) // (2 * self._half)


class Joint:
    """The tracks of a source on their way into those of the output. `origin_us`: where the output begins."""

    def __init__(self, streams: dict[str, Any], tracks: dict[str, Any], output: Output, origin_us: int) -> None:
        self._kinds = {stream.index: kind for kind, stream in streams.items()}
        self._tracks = tracks
        self._output = output
        self._origin_us = origin_us
        self._key_us: int | None = None

    def copy(self, packets: Iterator[Any], begins: Fraction, piece: Piece) -> None:
        """From the key frame at or before the piece's start to its end. `begins`: the time of the first picture, as the
        packets count.
        """
        clocks: dict[int, StreamClock] = {}
        for packet in packets:
            if packet.dts is None or packet.pts is None:
                continue
            index = packet.stream_index
            kind = self._kinds[index]
            clock = clocks.get(index)
            if clock is None:
                clock = clocks[index] = StreamClock(packet.time_base, begins)
            at_us, dts_us = clock.us(packet.pts), clock.us(packet.dts)
            if dts_us < piece.end_us:
                self._take(kind, packet, at_us, dts_us, piece.at_us)
            elif kind == "video":
                return

    def _take(self, kind: str, packet: Any, at_us: int, dts_us: int, taken_us: int) -> None:
        if self._key_us is None and kind == "video" and packet.is_keyframe:
            self._key_us = at_us
        if self._key_us is None or (kind == "audio" and at_us < self._key_us):
            return
        shift = taken_us - self._origin_us
        self._output.write(self._tracks[kind], packet, at_us + shift, dts_us + shift)
        if kind == "video":
            self._output.shown(taken_us + at_us)


Unit = tuple[FrameHead, bytes]


def frames(plan: FramesPlan) -> Written:
    """Access units with the recorder's own times, from the first key frame on."""
    units = units_of(sys.stdin.buffer)
    begun = dropwhile(lambda unit: not unit[0].key or unit[0].codec == "aac", units)
    ahead = list(islice(begun, WINDOW))
    if not ahead:
        raise GiveUp("there is no key frame in it")
    video = ahead[0][0].codec
    start_us = min(head.at_us for head, _ in ahead if head.codec == video)
    output = Output(plan.into, start_us)
    tracks = tracks_for(ahead, plan.audio, output)
    wanted = (unit for unit in chain(ahead, begun) if unit[0].codec in tracks)
    for (head, data), dts_us in with_decoding_times(
        wanted, lambda unit: unit[0].at_us if unit[0].codec == video else None
    ):
        packet = av.Packet(data)
        packet.is_keyframe = head.key
        decoded_us = head.at_us if dts_us is None else dts_us
        output.write(tracks[head.codec], packet, head.at_us - start_us, decoded_us - start_us)
        if head.codec == video:
            output.shown(head.at_us)
    return output.close()


def tracks_for(ahead: Sequence[tuple[FrameHead, bytes]], audio: bool, output: Output) -> dict[str, Any]:
    head, data = ahead[0]
    found: dict[str, Any] = {head.codec: video_track(head.codec, data, output)}
    sound = next((data for one, data in ahead if one.codec == "aac"), None)
    if audio and sound is not None:
        with av.open(io.BytesIO(sound), format="aac") as source:
            found["aac"] = output.track(source.streams.audio[0])
    return found


def video_track(codec: str, data: bytes, output: Output) -> Any:
    if codec == "jpeg":
        with av.open(io.BytesIO(data), format="mjpeg") as source:
            context = source.streams.video[0].codec_context
            return output.pictures(context.width, context.height)
    with av.open(io.BytesIO(data), format=RAW[codec]) as source:
        return output.track(source.streams.video[0])


def units_of(stream: Any) -> Iterator[tuple[FrameHead, bytes]]:
    while len(head := stream.read(HEAD.size)) == HEAD.size:
        read = head_of(head)
        data = stream.read(read.length)
        if len(data) < read.length:
            return
        yield read, data


def main() -> None:
    memory_bytes, seconds, most_bytes = (int(argument) for argument in sys.argv[1:])
    restrict(memory_bytes, seconds, most_bytes)
    try:
        plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=CutPlan | FramesPlan | PlayPlan)
        say(cut(plan) if isinstance(plan, CutPlan) else play(plan) if isinstance(plan, PlayPlan) else frames(plan))
    except GiveUp as reason:
        sys.exit(give_up(str(reason)))
    except MemoryError:
        sys.exit(give_up("it needs more memory than it may take"))
    except (OSError, ValueError, KeyError) as error:
        sys.exit(give_up(f"it cannot be copied: {error}"))
    sys.exit(0)


if __name__ == "__main__":
    main()
