"""What a destination gets besides its settings: everything that would otherwise be a hidden global."""

from msgspec import Struct

from tocsin.engine.contracts import AreaAddress, Clock, Randomness, no_area_address
from tocsin.engine.inventory.book import InventoryBook
from tocsin.telemetry.record import Recorder
from tocsin.transports.contract import Network


class Surroundings(Struct, frozen=True):
    """`randomness` is cryptographic in the gateway and seeded in the simulation. `book` is what service clouds are told
    of; None where nothing is sent.
    """

    clock: Clock
    randomness: Randomness
    network: Network
    record: Recorder
    gateway: str = "tocsin"
    public_url: str = ""
    time_zone: str = "UTC"
    area_address: AreaAddress = no_area_address
    book: InventoryBook | None = None
