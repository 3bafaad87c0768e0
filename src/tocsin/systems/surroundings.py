"""What a system gets besides its settings: everything that would otherwise be a hidden global."""

from msgspec import Struct, field

from tocsin.engine.contracts import Clock, Randomness
from tocsin.telemetry.record import Recorder
from tocsin.transports.contract import Network
from tocsin.transports.sockets import SocketNetwork


class SystemSurroundings(Struct, frozen=True):
    """`randomness` is cryptographic in the gateway."""

    clock: Clock
    randomness: Randomness
    record: Recorder
    network: Network = field(default_factory=SocketNetwork)
