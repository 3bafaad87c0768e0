"""Loading the configuration: every section by its model, every problem named, nothing started."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from tocsin.api.control.settings import ControlSettings
from tocsin.api.settings import ApiSettings, ConsoleSettings
from tocsin.app.consistency import inconsistencies
from tocsin.app.settings import (
    AreaSettings,
    Configuration,
    DeviceSettings,
    GatewaySettings,
    LivenessSettings,
    Loaded,
    RetentionSettings,
)
from tocsin.config.document import Document, Unreadable, read
from tocsin.config.fields import Settings
from tocsin.config.files import resolved, unusable
from tocsin.config.modes import parts, type_key
from tocsin.config.positions import KeyPath
from tocsin.config.problems import Problem, did_you_mean
from tocsin.config.validation import validated

Section = TypeVar("Section", bound=Settings)

SECTIONS = (
    "gateway", "api", "console", "control", "retention", "liveness", "areas", "devices", "sources", "destinations",
    "systems", "evidence",
)  # fmt: skip


class EntryType(Protocol):
    """What loading needs to know of a destination, source, system or evidence type."""

    @property
    def settings(self) -> type[Any]: ...


class Registries(Struct, frozen=True):
    """The destination, source, system and evidence types there are, by name."""

    destinations: Mapping[str, EntryType]
    sources: Mapping[str, EntryType]
    systems: Mapping[str, EntryType] = {}
    evidence: Mapping[str, EntryType] = {}


def all_types() -> Registries:
    """The types this version carries."""
    from tocsin.destinations.registry import DESTINATION_TYPES
    from tocsin.evidence.types import EVIDENCE_TYPES
    from tocsin.sources.registry import SOURCE_TYPES
    from tocsin.systems.registry import SYSTEM_TYPES

    return Registries(DESTINATION_TYPES, SOURCE_TYPES, SYSTEM_TYPES, EVIDENCE_TYPES)


def load(file: Path, registries: Registries | None = None) -> Loaded:
    """Read and check a configuration. Touches the files it names, never the network. Raises nothing."""
    try:
        document = read(file)
    except Unreadable as unreadable:
        return Loaded(str(file), None, (unreadable.problem,))
    return _Loading(document, registries or all_types()).loaded()


class _Loading:
    def __init__(self, document: Document, registries: Registries) -> None:
        self._document = document
        self._data = resolved(document.data, document.folder)
        self._registries = registries
        self._fatal: list[Problem] = []
        self._entry_problems: list[Problem] = []
        self._left_out: list[str] = []

    def loaded(self) -> Loaded:
        self._unknown_sections()
        settings = self._configuration()
        found = inconsistencies(self._document, self._data)
        self._fatal += [problem for problem in found if problem.level == "error"]
        warnings = [problem for problem in found if problem.level == "warning"]
        problems = sorted([*self._fatal, *self._entry_problems, *warnings], key=lambda problem: problem.line)
        usable = None if self._fatal else settings
        return Loaded(str(self._document.file), usable, tuple(problems), tuple(self._left_out), self._document)

    def _configuration(self) -> Configuration | None:
        gateway = self._one(GatewaySettings, "gateway")
        api = self._one(ApiSettings, "api")
        console = self._one(ConsoleSettings, "console")
        retention = self._one(RetentionSettings, "retention")
        liveness = self._one(LivenessSettings, "liveness")
        control = self._one(ControlSettings, "control") if "control" in self._data else None
        areas = self._each(AreaSettings, "areas")
        devices = self._each(DeviceSettings, "devices")
        sources = self._typed(self._registries.sources, "sources")
        destinations = self._typed(self._registries.destinations, "destinations")
        systems = self._typed(self._registries.systems, "systems")
        evidence = self._typed(self._registries.evidence, "evidence")
        if gateway is None or api is None or console is None or retention is None or liveness is None:
            return None
        return Configuration(
            gateway=self._with_defaults(gateway),
            api=api,
            console=console,
            retention=retention,
            liveness=liveness,
            control=control,
            areas=tuple(areas),
            devices=tuple(devices),
            sources=tuple(sources),
            destinations=tuple(destinations),
            systems=tuple(systems),
            evidence=tuple(evidence),
        )

    def _with_defaults(self, gateway: GatewaySettings) -> GatewaySettings:
        """The default data folder is relative to the file too."""
        return gateway.model_copy(update={"data_dir": str(self._document.folder / gateway.data_dir)})

    def _unknown_sections(self) -> None:
        for key in self._document.data:
            if key not in SECTIONS:
                hint = did_you_mean(key, SECTIONS)
                self._fatal.append(self._document.problem((key,), "unknown section", hint))

    def _one(self, model: type[Section], key: str) -> Section | None:
        section, problems = self._parsed(model, self._data.get(key, {}), (key,))
        self._fatal += problems
        return section

    def _each(self, model: type[Section], key: str) -> list[Section]:
        parsed = [self._parsed(model, data, (key, index)) for index, data in self._entries(key)]
        self._fatal += [problem for _, problems in parsed for problem in problems]
        return [section for section, _ in parsed if section is not None]

    def _typed(self, types: Mapping[str, EntryType], key: str) -> list[Any]:
        sections = []
        for index, data in self._entries(key):
            section, problems = self._entry(types, data, (key, index))
            if section is not None and not problems:
                sections.append(section)
            elif isinstance(data, dict) and data.get("on_start_error") == "disable":
                self._left_out.append(str(data.get("name", f"{key}[{index + 1}]")))
                self._entry_problems += problems
            else:
                self._fatal += problems
        return sections

    def _entry(self, types: Mapping[str, EntryType], data: Any, path: KeyPath) -> tuple[Any, list[Problem]]:
        name = data.get("type") if isinstance(data, dict) else None
        key = type_key(types, name, data.get("mode")) if isinstance(name, str) else ""
        if key in types:
            problem = self._unknown_mode(types, key, data, path)
            return (None, [problem]) if problem is not None else self._parsed(types[key].settings, data, path)
        if not isinstance(data, dict):
            return None, [self._document.problem(path, "a table is expected here", f"write [[{path[0]}]]")]
        if name is None:
            hint = f'type = "…", one of: {", ".join(sorted({parts(key)[0] for key in types}))}'
            return None, [self._document.problem((*path, "type"), "is missing", hint)]
        hint = did_you_mean(str(name), types)
        return None, [self._document.problem((*path, "type"), "there is no such type", hint, value=name)]

    def _unknown_mode(
        self, types: Mapping[str, EntryType], key: str, data: Mapping[str, Any], path: KeyPath
    ) -> Problem | None:
        """A type with several modes names them all when none of them is meant."""
        mode, field = data.get("mode"), types[key].settings.model_fields.get("mode")
        others = {parts(each)[1] for each in types if parts(each)[0] == key} - {""}
        if not others or field is None or not isinstance(mode, str) or mode == field.default:
            return None
        hint = did_you_mean(mode, sorted({*others, str(field.default)}))
        return self._document.problem((*path, "mode"), "there is no such mode", hint, value=mode)

    def _parsed(self, model: type[Section], data: Any, path: KeyPath) -> tuple[Section | None, list[Problem]]:
        section, problems = validated(model, data, self._document, path)
        files = unusable(self._document, data, path)
        told = {problem.path for problem in files}
        return section, [*(problem for problem in problems if problem.path not in told), *files]

    def _entries(self, key: str) -> list[tuple[int, Any]]:
        entries = self._data.get(key, [])
        if isinstance(entries, list):
            return list(enumerate(entries))
        hint = f"write [[{key}]] with double brackets, once per entry"
        self._fatal.append(self._document.problem((key,), "a list of tables is expected here", hint))
        return []
