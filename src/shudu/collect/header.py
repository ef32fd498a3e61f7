"""The header every batch carries, and what each of the five channels (四(二)2) must say besides.

Plain values: what is missing or malformed cannot become a header at all. What a well-formed header may still be refused
for stands in `gates` and `refusals`.
"""

from __future__ import annotations

import hashlib
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

import rfc8785
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from shudu.policy import plain_text

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Line = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(plain_text.clean)]
Words = Annotated[str, Field(min_length=1, max_length=2_000), AfterValidator(plain_text.clean_lines)]
Number = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$")]


def _file_name(text: str) -> str:
    name = plain_text.clean(text)
    if "/" in name or "\\" in name or name.strip(". ") == "":
        raise ValueError("须为文件名，不含路径 / it is the name of a file, without a path")
    return name


FileName = Annotated[str, Field(max_length=200), AfterValidator(_file_name)]
Level = Literal["L1", "L2", "L3", "L4", "L5"]


class Channel(StrEnum):
    """How data came to be collected."""

    ADMINISTRATIVE = "administrative"  # 行政收集
    WEB = "web"  # 网络搜集
    PURCHASE = "purchase"  # 有偿购买
    DONATION = "donation"  # 无偿捐赠
    SENSOR = "sensor"  # 传感采集


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Administrative(_Said):
    """行政收集: collected in carrying out a duty, and not obtainable by sharing (一数一源)."""

    channel: Literal[Channel.ADMINISTRATIVE]
    duty: Words  # 职责依据
    matter: Line  # 办事事项
    department: Line  # 收集部门
    obtainable_by_sharing: bool  # 是否可由共享获得
    form_version: Line  # 表单版本
    frequency: Literal["1", "2", "3", "4", "5", "6", "7", "8", "9"]  # as `update_cycle` of the core fields


class Web(_Said):
    """网络搜集: taken from the open web, within what the site permits (网络数据安全管理条例 第18条)."""

    channel: Literal[Channel.WEB]
    site: Annotated[str, Field(max_length=253, pattern=r"^[a-z0-9.-]+$")]  # host name, IDN in its ASCII form
    url: Annotated[str, Field(max_length=2_000, pattern=r"^https?://[!-~]+$")]
    robots: Literal["allowed", "absent", "disallowed"]
    site_terms: Literal["permitted", "silent", "forbidden"]
    personal_information: bool
    impact_assessment: Number | None = None  # its number; needed where personal information is taken
    requests_per_minute: Annotated[float, Field(gt=0, le=60_000)]
    crawler: Number
    fetched_at: AwareDatetime
    content_sha256: Digest
    behind_login: bool = False


class Purchase(_Said):
    """有偿购买: bought, with the scope of its licence."""

    channel: Literal[Channel.PURCHASE]
    procurement: Number  # 采购编号
    contract: Number
    may_share: bool
    may_open: bool
    may_derive: bool
    price_fen: Annotated[int, Field(ge=0, le=10**15)]
    licensed_until: date
    supplier: Annotated[str, Field(pattern=r"^[0-9A-HJ-NPQRTUWXY]{18}$")]  # 统一社会信用代码


class Donation(_Said):
    """无偿捐赠: given, under the donor's conditions."""

    channel: Literal[Channel.DONATION]
    donor: Line
    agreement: Number
    rights_warranted: bool  # 捐赠方保证其有权捐赠
    conditions: Annotated[str, Field(max_length=2_000)] = ""
    acknowledgement: Annotated[str, Field(max_length=300)] = ""
    revocation: Words  # 撤回条款


class Sensor(_Said):
    """传感采集: measured by a device."""

    channel: Literal[Channel.SENSOR]
    device: Number
    longitude: Annotated[float, Field(ge=-180, le=180)]
    latitude: Annotated[float, Field(ge=-90, le=90)]
    calibrated: date
    calibrated_until: date
    samples_per_hour: Annotated[float, Field(gt=0, le=3.6e9)]
    unit: Annotated[str, Field(min_length=1, max_length=40)]
    accuracy: Annotated[str, Field(min_length=1, max_length=40)]
    time_sync: Literal["gnss", "ptp", "ntp", "none"]
    privacy_zone: bool
    video_or_face: bool


Collection = Annotated[Administrative | Web | Purchase | Donation | Sensor, Field(discriminator="channel")]


class BatchHeader(_Said):
    """The common batch header. `batch_id` is the sender's own and names one batch of that sender for ever.

    `columns`, when given, are the names the file's columns must have. `signature` is a signed note over `signed_text`.
    """

    batch_id: Number
    source_id: Number
    catalog_code: Annotated[str, Field(max_length=40, pattern=r"^[0-9A-Za-z/-]+$")]
    schema_version: Annotated[int, Field(ge=1, le=10**6)]
    record_count: Annotated[int, Field(ge=0, le=2**53 - 1)]  # the largest whole number JCS knows
    bytes: Annotated[int, Field(ge=1, le=2**50)]
    sm3: Digest
    signature: Annotated[str, Field(max_length=2_000)] | None = None
    period_from: date
    period_to: date
    collected_at: AwareDatetime
    submitted_by: Annotated[str, Field(max_length=64, pattern=r"^[0-9A-Za-z_]+$")]  # party id or 统一社会信用代码
    legal_basis: Words
    class_level: Level
    columns: Annotated[tuple[Line, ...], Field(max_length=10_000)] = ()
    collection: Collection

    @model_validator(mode="after")
    def _in_order(self) -> BatchHeader:
        if self.period_to < self.period_from:
            raise ValueError("period_to 不得早于 period_from / period_to is not before period_from")
        return self

    @property
    def channel(self) -> Channel:
        return Channel(self.collection.channel)

    def to_json(self) -> dict[str, Any]:
        """As it is kept and signed, without the signature: one of SM2 differs each time."""
        told: dict[str, Any] = self.model_dump(mode="json", exclude={"signature"})
        return told

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the header's JCS (RFC 8785), without its signature."""
        return hashlib.sha256(rfc8785.dumps(self.to_json())).hexdigest()

    @property
    def signed_text(self) -> str:
        """What `signature` signs; its first line is no log's origin and no package's."""
        return f"shudu-batch/1\n{self.sha256}\n"
