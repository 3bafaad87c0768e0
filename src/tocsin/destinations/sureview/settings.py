"""What a `[[destinations]]` table of type sureview may say."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from tocsin.destinations.mailing.recipients import is_mail_address, is_mail_domain
from tocsin.destinations.mailing.settings import MailAddress
from tocsin.destinations.mailing.station_settings import StationMailSettings
from tocsin.destinations.mailing.times import Form, TimeSettings


def _domain(text: str) -> str:
    if text and not is_mail_domain(text):
        raise ValueError('expected a mail domain, such as "us.sureviewops.com"')
    return text


class SureViewTimeSettings(TimeSettings):
    """Times as people read them."""

    format: Form = Field("%Y-%m-%d %H:%M:%S %Z", max_length=60, description="Form of times, as strftime has it.")


class SureViewSettings(StationMailSettings):
    """SureView Ops, where every alarm point has a mail address of its own; or SureView Response."""

    prefix: ClassVar[str] = "SureView"

    type: Literal["sureview"] = Field("sureview", description="Type of station.")
    mode: Literal["email"] = Field("email", description="email: a mail to the alarm point's address.")
    layout: Literal["sureview-ops", "sureview-response"] = Field(
        "sureview-ops", description="sureview-ops: text for people; sureview-response: one Key: value per line."
    )
    region: Literal["us", "eu"] = Field("us", description="Where addresses without a domain are: us.sureviewops.com.")
    domain: Annotated[str, AfterValidator(_domain)] = Field(
        "", description="Domain of addresses without one; absent: the region's."
    )
    sender: MailAddress = Field(description="Address the mail comes from; SureView does not look at it.")
    time: SureViewTimeSettings = Field(SureViewTimeSettings(), description="Zone and form of times.")

    def misfit(self, account: str) -> str:
        return (
            "" if is_mail_address(self.full_address(account)) else "is no address of an alarm point, such as xk72mnp4ab"
        )

    def full_address(self, written: str) -> str:
        return written if "@" in written else f"{written}@{self.domain or f'{self.region}.sureviewops.com'}"
