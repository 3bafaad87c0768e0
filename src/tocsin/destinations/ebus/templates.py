"""The templates of names and text that come with the program: all ours, nothing of it is published (receivers.md 8.1).

Pure.
"""

from datetime import UTC, datetime

from tocsin.destinations.templates import Template, compiled
from tocsin.destinations.words import words
from tocsin.model.event import Event

TEXT_KEYS = frozenset({"lane", "phase", "short_id", "pictures", "pre_alarm"})
NAME_KEYS = frozenset({"lane", "phase", "short_id", "n", "unique"})
"""`n` counts pictures from 1, `unique` is a mark of the event, `phase` is `pre` or `alarm`, `lane` as in LANES."""

_STEM = '{{ ts_utc|time("%Y%m%d_%H%M%S") }}{{ ts_utc|time("%f")|cut(3) }}_{{ unique }}'
_CAMERA = '{{ zone|default("0") }}/{{ ts_local|time("%Y-%m-%d_%H-%M-%S") }}'
PICTURE_NAMES = {
    "set": compiled(_STEM + "_{{ n|pad(2) }}", "line", "picture_name", NAME_KEYS),
    "camera-dir": compiled(_CAMERA + "_{{ n }}", "line", "picture_name", NAME_KEYS),
}
TEXT_NAMES = {
    "set": compiled(_STEM + "_00_{{ lane }}", "line", "text_name", NAME_KEYS),
    "camera-dir": compiled(_CAMERA, "line", "text_name", NAME_KEYS),
}
TEXT = compiled(
    """\
Alarm: {{ code }}
Text: {{ text }}
Objekt: {{ site_id }}
{% if zone %}
Kamera: {{ zone }}
{% endif %}
Zeit: {{ ts_local|time("%Y-%m-%d %H:%M:%S") }}
{% if test %}
Test: ja
{% endif %}
{% if pre_alarm %}
Voralarmbilder: {{ pre_alarm }}
{% endif %}
{% if battery != "" %}
Batterie: {{ battery }}
{% endif %}
{% if url %}
URL: {{ url }}
{% endif %}
""",
    "line",
    "text",
    TEXT_KEYS,
)
_AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
_SAMPLE = Event("sample", "motion", _AT, _AT, "sample", device_id="01AD2DD41C0000C1")


def problem_with_names(picture: Template | None, text: Template | None) -> str:
    """Why names would overwrite each other; empty when they would not."""
    if picture is not None and _sample(picture, 1) == _sample(picture, 2):
        return "picture_name gives two pictures of one event the same name: it needs {{ n }}"
    for name, template in (("picture_name", picture), ("text_name", text)):
        if template is not None and _sample(template, 1) == _sample(template, 1, "other", 3600.0):
            return f"{name} gives two events the same name: it needs a time or {{{{ unique }}}}"
    return ""


def _sample(template: Template, n: int, mark: str = "one", later_s: float = 0.0) -> str:
    moment = datetime.fromtimestamp(_AT.timestamp() + later_s, UTC)
    values = words(_SAMPLE, None, "", "", 1, "3") | {"ts": moment, "ts_local": moment, "ts_utc": moment}
    return template.render(values | {"lane": "ALARM", "phase": "alarm", "short_id": "2DAD", "n": n, "unique": mark})
