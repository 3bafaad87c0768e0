"""What a source gets besides its settings: everything that would otherwise be a hidden global."""

from collections.abc import Callable

from msgspec import Struct, field

from tocsin.engine.contracts import Clock, Randomness
from tocsin.telemetry.record import Recorder
from tocsin.transports.contract import Network
from tocsin.transports.sockets import SocketNetwork


def _nobody(device_id: str) -> None:
    """Where nobody expects devices to be heard."""


class SourceSurroundings(Struct, frozen=True):
    """`randomness` is cryptographic in the gateway. `heard` takes the source's name and the subject that lives;
    `contact` the device that gave a sign of life without an event.
    """

    clock: Clock
    randomness: Randomness
    record: Recorder
    heard: Callable[[str, str], None]
    contact: Callable[[str], None] = _nobody
    network: Network = field(default_factory=SocketNetwork)
