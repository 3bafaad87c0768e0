"""What the child processes of this folder share: they limit themselves before they look at anything.

Exit code 3 with a clause on stderr: it cannot be made. Anything else but 0 is a crash.
"""

import sys
from collections.abc import Callable, Iterator, Sequence

GAVE_UP = 3


class GiveUp(Exception):
    """It cannot be made; the text says why, as a clause."""


def run(make: Callable[..., bytes]) -> None:
    """Read stdin, call `make(data, *numbers)`, write what it gives, and end."""
    memory_bytes, seconds, *numbers = (int(argument) for argument in sys.argv[1:])
    restrict(memory_bytes, seconds)
    data = sys.stdin.buffer.read()
    try:
        made = make(data, *numbers)
    except GiveUp as reason:
        sys.exit(give_up(str(reason)))
    except MemoryError:
        sys.exit(give_up("it needs more memory than a picture may take"))
    except (OSError, ValueError, SyntaxError) as error:
        sys.exit(give_up(f"it cannot be decoded: {error}"))
    sys.stdout.buffer.write(made)
    sys.stdout.buffer.flush()
    sys.exit(0)


def joined(pictures: Sequence[bytes]) -> bytes:
    """Several pictures as one input: each behind its length in four bytes."""
    return b"".join(len(picture).to_bytes(4, "big") + picture for picture in pictures)


def split(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : end]
        at = end


def restrict(memory_bytes: int, seconds: int, file_bytes: int = 0) -> None:
    """Before anything foreign is looked at. `file_bytes`: the most that may be written into a file."""
    try:
        import resource
    except ImportError:  # Windows: the parent's deadline alone has to do
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))


def give_up(reason: str) -> int:
    sys.stderr.write(reason[:300])
    return GAVE_UP
