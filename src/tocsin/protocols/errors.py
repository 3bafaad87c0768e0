"""What a pure format raises when it cannot express an event."""


class Unsendable(ValueError):
    """This format has no way to say this event; the text says why and what to do. Sending it again never helps."""
