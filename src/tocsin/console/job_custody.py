"""The custody lines of one job, found without reading an agent's whole log: it is in the order of time."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from tocsin.model.evidence import CustodyLine, Job
from tocsin.store.evidence import EvidenceStore

SLACK = timedelta(minutes=1)
"""So far a clock may be set back."""
PAGE = 500
MOST_READ = 5000
MOST_SHOWN = 200


class _Said(msgspec.Struct):
    job: str = ""


_decode = msgspec.json.Decoder(_Said).decode


async def custody_of(store: EvidenceStore, job: Job) -> Sequence[CustodyLine]:
    """At most 200, the oldest first, of the first 5000 lines that any job wrote while this one was under way."""
    found: list[CustodyLine] = []
    after = await _before(store, job.agent, job.seen_at - SLACK)
    for _ in range(MOST_READ // PAGE):
        lines = await store.custody(job.agent, after, PAGE)
        found += [line for line in lines if _is_of(line, job)]
        if len(lines) < PAGE or lines[-1].at > job.updated_at + SLACK:
            break
        after = lines[-1].number
    return found[:MOST_SHOWN]


async def _before(store: EvidenceStore, agent: str, instant: datetime) -> int:
    """The number of the last line that is older."""
    newest = await store.last_custody(agent)
    low, high = 0, newest.number if newest else 0
    while low < high:
        middle = (low + high) // 2
        following = await store.custody(agent, middle, 1)
        if following and following[0].at < instant:
            low = following[0].number
        else:
            high = middle
    return low


def _is_of(line: CustodyLine, job: Job) -> bool:
    try:
        return _decode(line.text).job == job.registry_id
    except msgspec.DecodeError:
        return False
