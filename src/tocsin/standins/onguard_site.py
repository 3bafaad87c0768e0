"""What a stand-in OnGuard holds: rows by type, status words, the event log. Shapes as in connectors.md 5.4 to 5.8."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Literal

Row = dict[str, Any]
KEYS = {
    "Lnl_Panel": ("ID",),
    "Lnl_Reader": ("PanelID", "ReaderID"),
    "Lnl_AlarmPanel": ("PanelID", "ID"),
    "Lnl_AlarmInput": ("PanelID", "AlarmPanelID", "InputID"),
    "Lnl_AlarmOutput": ("PanelID", "AlarmPanelID", "OutputID"),
    "Lnl_Camera": ("PanelID", "ID"),
    "Lnl_IntercomStation": ("StationID",),
    "Lnl_IntrusionArea": ("ID",),
    "Lnl_Segment": ("ID",),
}
METHODS = {
    "Lnl_Panel": ("UpdateHardwareStatus", "GetHardwareStatus"),
    "Lnl_Reader": ("GetHardwareStatus",),
    "Lnl_AlarmPanel": ("GetHardwareStatus",),
    "Lnl_AlarmOutput": ("Activate", "Deactivate", "Pulse"),
    "Lnl_IntrusionArea": ("Arm", "Disarm"),
}
_TERM = re.compile(r'(\w+)\s*(=|!=|>)\s*("[^"]*"|-?\d+)')
Native = tuple[int, ...]


class Site:
    """Rows are changed from outside; `words` are the true status words, `told` what panels have reported."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Row]] = {name: [] for name in KEYS}
        self.recorders: list[Row] = []
        self.words: dict[tuple[str, Native], int] = {}
        self.reported: dict[tuple[str, Native], int] = {}
        self.deaf: set[int] = set()
        """Panels whose communication server takes no requests."""
        self.events: list[Row] = []
        self.serial = 1000

    def add(self, type_name: str, word: int | None = 1, **properties: Any) -> Native:
        """A row; with a status word where its type has one."""
        self.rows[type_name].append(properties)
        key = tuple(properties[name] for name in KEYS[type_name])
        if word is not None and "GetHardwareStatus" in METHODS.get(type_name, ()):
            self.words[type_name, key] = self.reported[type_name, key] = word
        return key

    def report(self, panel: int) -> None:
        """The panel and what hangs on it tell how they are."""
        self.reported |= {key: word for key, word in self.words.items() if key[1][0] == panel}

    def panel(self, panel: int, online: bool, at: datetime) -> None:
        """A panel goes or comes back, and the event log has it."""
        [row] = [row for row in self.rows["Lnl_Panel"] if row["ID"] == panel]
        row["IsOnline"] = online
        self.words["Lnl_Panel", (panel,)] = self.reported["Lnl_Panel", (panel,)] = int(online)
        text = "Communications Restored" if online else "Communications Lost"
        self.log(text, at, controller_id=panel, controller_name=row["Name"])

    def log(self, description: str, at: datetime, naive: bool = False, **fields: Any) -> Row:
        """One more row of the event log."""
        self.serial += 1
        written = at.replace(tzinfo=None) if naive else at
        numbers = {"controller_id": 0, "device_id": 0, "subdevice_id": 0, "segment_id": 0}
        row = {"serial_number": self.serial, "timestamp": written.isoformat(), "description": description}
        self.events.append({**row, **numbers, "event_text": "", **fields})
        return self.events[-1]


def example(order: Literal["little", "big"] = "little") -> Site:
    """Two panels, three readers, an alarm panel with an input and a siren output, a recorder with two cameras."""
    site = Site()
    site.add("Lnl_Segment", ID=1, Name="Head office")
    for panel, name, address in ((3, "Main", "10.20.30.40"), (4, "Annex", "10.20.30.200")):
        site.add("Lnl_Panel", ID=panel, Name=name, PanelType=2, IsOnline=True, Workstation=f"OG-COMM-{panel}",
                 PrimaryIPAddress=packed(address, order), SegmentId=1)  # fmt: skip
    for panel, reader, name in ((3, 4, "Server room IN"), (3, 5, "Server room OUT"), (4, 1, "Annex door")):
        site.add("Lnl_Reader", PanelID=panel, ReaderID=reader, Name=name, HostName="OG-COMM-01", ControlType=0,
                 TimeAttendanceType=0)  # fmt: skip
    site.add("Lnl_AlarmPanel", PanelID=3, ID=1, Name="Inputs", ControlType=129)
    site.add("Lnl_AlarmInput", PanelID=3, AlarmPanelID=1, InputID=2, Name="Window")
    site.add("Lnl_AlarmOutput", PanelID=3, AlarmPanelID=1, OutputID=1, Name="Siren")
    site.add("Lnl_IntrusionArea", ID=1, Name="Vault", PanelID=3)
    site.recorders.append(
        {"id": 9, "name": "Recorder 1", "computer_name": "nvr-1", "is_online": True, "http_port": 80, "https_port": 443,
         "primary_ip_address": packed("192.168.7.9", order), "panel_type_name": "LNVR", "segment_id": 1,
         "workstation": "nvr-1", "world_timezone_id": 1}
    )  # fmt: skip
    for camera, name in ((1, "Dock"), (2, "Yard")):
        site.add("Lnl_Camera", PanelID=9, ID=camera, Name=name, CameraTypeName="P3265", Port=80, Channel=camera,
                 Workstation="nvr-1", IPAddress=packed(f"192.168.7.1{camera}", order))  # fmt: skip
    return site


def packed(address: str, order: Literal["little", "big"]) -> int:
    """An address as OnGuard writes it: a signed 32-bit integer."""
    return int.from_bytes(bytes(int(part) for part in address.split(".")), order, signed=True)


def chosen(rows: Iterable[Row], text: str) -> list[Row]:
    """The rows a filter lets through: comparisons joined by AND. Raises ValueError."""
    kept = list(rows)
    for term in re.split(r"\s+AND\s+", text) if text else []:
        found = _TERM.fullmatch(term.strip())
        if found is None:
            raise ValueError(f"the filter {term!r} is not understood")
        kept = [row for row in kept if _holds(row.get(found[1]), found[2], found[3])]
    return kept


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda have, want: have == want,
    "!=": lambda have, want: have != want,
    ">": lambda have, want: have is not None and have > want,
}


def _holds(have: Any, comparison: str, written: str) -> bool:
    want: Any = written[1:-1] if written.startswith('"') else int(written)
    return _COMPARISONS[comparison](have, want)
