"""Why a DC-09 frame cannot be read or written. The texts never hold a key."""


class Dc09Error(Exception):
    """Whatever is wrong with a frame; nothing else is raised for bytes from outside."""


class Unreadable(Dc09Error):
    """The header does not follow the form of dc09.md 3."""


class KeyMissing(Dc09Error):
    """The message is encrypted and there is no key for it."""


class WrongKey(Dc09Error):
    """The decrypted text is not a message, so the key is another one (dc09.md 9)."""


class TooLong(Dc09Error):
    """The body would pass 4095 bytes (dc09.md 3.2)."""


class Unwritable(Dc09Error):
    """The message cannot be put into a frame: no timestamp, a pad of the wrong length, a structural character."""
