"""What a type of registry is, and the ones there are: one line each."""

from msgspec import Struct

from tocsin.evidence.settings import EvidenceSettings


class EvidenceType(Struct, frozen=True):
    """`published` says in one sentence what of the interface is published and what is assumed."""

    name: str
    title: str
    published: str
    settings: type[EvidenceSettings]


EVIDENCE_TYPES: dict[str, EvidenceType] = {
    "clearance": EvidenceType(
        "clearance",
        "Genetec Clearance camera registry",
        "The way of a job, the login, the encryption and the storage are published; paths, verbs, names of fields and "
        "status codes of the agent service are assumed, and replaced by a wire profile.",
        EvidenceSettings,
    ),
}
"""By the name that `type` gives in the configuration."""
