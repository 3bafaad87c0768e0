"""The child process of mp4.probed: what a file of video contains. Its path on stdin, one line of JSON on stdout."""

import hashlib
import os
import sys

import av

from tocsin.media.in_child import GiveUp, give_up, restrict
from tocsin.media.mp4_child import SAFELY, chosen, description, say
from tocsin.media.video_plan import Probed


def probe(path: str) -> Probed:
    with av.open(path, options=SAFELY) as source:
        streams = chosen(source, audio=True)
        video = streams["video"]
        seconds = float(video.duration * video.time_base) if video.duration else (source.duration or 0) / 1_000_000
        sort = repr({kind: description(stream) for kind, stream in streams.items()})
        if seconds <= 0:
            raise GiveUp("it does not say how long it is")
        return Probed(seconds, video.codec_context.name, hashlib.sha256(sort.encode()).hexdigest()[:16])


def main() -> None:
    restrict(*(int(argument) for argument in sys.argv[1:3]))
    try:
        say(probe(os.fsdecode(sys.stdin.buffer.readline().rstrip(b"\n"))))
    except GiveUp as reason:
        sys.exit(give_up(str(reason)))
    except (OSError, ValueError, MemoryError) as error:
        sys.exit(give_up(f"it cannot be read: {error}"))
    sys.exit(0)


if __name__ == "__main__":
    main()
