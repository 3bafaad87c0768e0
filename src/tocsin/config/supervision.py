"""How often a link must show life: a duration, or the name of an EN 50136 category (interface.md 3)."""

from typing import Annotated, NamedTuple

from pydantic import BeforeValidator

from tocsin.config.fields import parse_duration


class Category(NamedTuple):
    """Reporting times in seconds. `second_s` is for the second path while the first stands; None: single path."""

    first_s: float
    second_s: float | None = None


# Figures of the trade, unconfirmed until the standard is at hand (interface.md 3).
CATEGORIES = {
    "SP2": Category(90000.0),
    "SP3": Category(1800.0),
    "SP4": Category(180.0),
    "SP5": Category(90.0),
    "SP6": Category(20.0),
    "DP1": Category(90000.0, 180000.0),
    "DP2": Category(1800.0, 90000.0),
    "DP3": Category(180.0, 90000.0),
    "DP4": Category(90.0, 300.0),
}
POLL_MARGIN_S = 5.0
"""A link is polled this long before its reporting time is over, as published diallers do (85 s for 90 s)."""


def parse_interval(value: object) -> float:
    """The longest silence a listener accepts, in seconds. Raises ValueError."""
    if isinstance(value, str) and value in CATEGORIES:
        return CATEGORIES[value].first_s
    try:
        return parse_duration(value)
    except ValueError:
        known = ", ".join(CATEGORIES)
        raise ValueError(f'expected a duration such as "90s", or an EN 50136 category: {known}') from None


def parse_poll(value: object) -> float:
    """How often a sender polls, in seconds: a duration as it stands, a category's figure less the margin."""
    margin = POLL_MARGIN_S if isinstance(value, str) and value in CATEGORIES else 0.0
    return parse_interval(value) - margin


def parse_second_poll(value: object) -> float:
    """The same for the second path while the first stands."""
    category = CATEGORIES.get(value) if isinstance(value, str) else None
    if category is None:
        return parse_poll(value)
    if category.second_s is None:
        dual = ", ".join(name for name, one in CATEGORIES.items() if one.second_s is not None)
        raise ValueError(f"{value} is for a single path; for two paths there are {dual}")
    return category.second_s - POLL_MARGIN_S


def is_dual(value: object) -> bool:
    """Whether it is the name of a category for two paths."""
    return isinstance(value, str) and value in CATEGORIES and CATEGORIES[value].second_s is not None


def second_interval(value: object) -> float | None:
    """The longest silence of the second path while the first stands; None: the category, or what is written, is for
    one path.
    """
    category = CATEGORIES.get(value) if isinstance(value, str) else None
    return category.second_s if category else None


Interval = Annotated[float, BeforeValidator(parse_interval, json_schema_input_type=str)]
Poll = Annotated[float, BeforeValidator(parse_poll, json_schema_input_type=str)]
SecondPoll = Annotated[float, BeforeValidator(parse_second_poll, json_schema_input_type=str)]
