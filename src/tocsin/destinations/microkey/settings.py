"""What a `[[destinations]]` table of type microkey may say."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from tocsin.config.links import Heartbeat
from tocsin.destinations.surgard.settings import LinkedSettings
from tocsin.destinations.template_settings import written
from tocsin.destinations.templates import Template

RECORD_KEYS = frozenset({"receiver", "line", "account", "letter", "group"})
"""What a frame's template may use besides the words of all templates (destinations/words.py)."""

Frame = Annotated[Template, written("line", RECORD_KEYS)]
Bytes = Annotated[str, StringConstraints(pattern=r"^([0-9A-Fa-f]{2}){1,4}$")]
PlainText = Annotated[str, StringConstraints(pattern=r"^[ -~]{0,100}$")]


class MicrokeySettings(LinkedSettings):
    """A MicroKey station whose receiver driver reads Sur-Gard Contact ID records. Unconfirmed: nothing is published."""

    type: Literal["microkey"] = Field("microkey", description="Type of station.")
    heartbeat: Heartbeat = Field(None, description='Sent after this long without a record: "1s" to "99s"; absent: off.')
    frame_template: Frame | None = Field(
        None, description="The record without its end mark, by position as the driver reads it; absent: Sur-Gard's."
    )
    heartbeat_text: PlainText = Field("", description="The heartbeat without its end mark; absent: Sur-Gard's.")
    ack_byte: Bytes = Field("06", description="The acknowledgement, hexadecimal.")
    nak_byte: Bytes = Field("15", description="The refusal, hexadecimal.")

    @model_validator(mode="after")
    def _told_apart(self) -> "MicrokeySettings":
        ack, nak = self.answers()
        if ack.startswith(nak) or nak.startswith(ack):
            raise ValueError("ack_byte and nak_byte must differ, and neither may begin with the other")
        return self

    def answers(self) -> tuple[bytes, bytes]:
        return bytes.fromhex(self.ack_byte), bytes.fromhex(self.nak_byte)
