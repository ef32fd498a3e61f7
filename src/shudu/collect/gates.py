"""What each channel asks of a well-formed header before anything is read: pure rules over header, table and time."""

from __future__ import annotations

from datetime import datetime, timedelta

from shudu.policy import clock

from .header import Administrative, BatchHeader, Donation, Purchase, Sensor, Web
from .refusals import Refusal, refused

CLOCKS_DIFFER = timedelta(minutes=5)


def check(header: BatchHeader, *, level: str, schema_version: int, now: datetime) -> None:
    """Raise the refusal for a header whose table has this level and schema version; None when it may be read.

    Days are Shanghai's: a licence until the 31st lasts to that day's midnight there.
    """
    if header.collected_at > now + CLOCKS_DIFFER:
        raise refused(Refusal.TIME, collected_at=header.collected_at.isoformat())
    if header.class_level > level:
        raise refused(Refusal.LEVEL, declared=header.class_level, table=level)
    if header.schema_version != schema_version:
        raise refused(Refusal.SCHEMA, declared=header.schema_version, table=schema_version)
    said = header.collection
    day = clock.day_of(header.collected_at)
    match said:
        case Administrative(obtainable_by_sharing=True):
            raise refused(Refusal.DUPLICATE_COLLECTION, department=said.department)
        case Web() if said.behind_login or said.robots == "disallowed" or said.site_terms == "forbidden":
            raise refused(Refusal.SITE, site=said.site, robots=said.robots, site_terms=said.site_terms)
        case Web(personal_information=True, impact_assessment=None):
            raise refused(Refusal.IMPACT_ASSESSMENT, site=said.site)
        case Purchase() if said.licensed_until < clock.day_of(now):
            raise refused(Refusal.LICENCE, licensed_until=said.licensed_until.isoformat())
        case Donation(rights_warranted=False):
            raise refused(Refusal.RIGHTS, agreement=said.agreement)
        case Sensor() if not said.calibrated <= day <= said.calibrated_until:
            raise refused(Refusal.CALIBRATION, device=said.device, collected=day.isoformat())
        case Sensor() if (said.video_or_face or said.privacy_zone) and header.class_level < "L3":
            raise refused(Refusal.LEVEL, declared=header.class_level, least="L3")
