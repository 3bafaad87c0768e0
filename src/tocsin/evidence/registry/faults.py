"""What a call of the registry can end with, besides its answer."""


class RegistryFault(Exception):
    """The text is a sentence for a technician, without tokens and keys."""


class NotMine(RegistryFault):
    """The lock is gone, the job is gone, or another agent has it: never an error (clearance.md 7.1)."""


class TryAgain(RegistryFault):
    """It may go later: no connection, an overloaded service. Whether the call was carried out is unknown."""


class Misconfigured(RegistryFault):
    """The login is refused: nothing changes before somebody changes it (4)."""


class NotUnderstood(RegistryFault):
    """The service does not understand the call, or we do not understand its answer: the wire profile is wrong (6)."""


class Garbled(NotUnderstood):
    """The answer is no document at all, as a page that a proxy puts in its place: it says nothing about the profile."""
