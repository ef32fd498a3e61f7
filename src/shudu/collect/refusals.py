"""Why a batch may be refused: the closed list of codes, with what each means and what to do. docs/collecting.md shows
it, and a test holds the two together."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from shudu.policy.types import Conflict, Invalid, ShuduError, Text


class Refusal(StrEnum):
    ASSET = "batch.asset"
    BYTES = "batch.bytes"
    CALIBRATION = "batch.calibration"
    COLUMNS = "batch.columns"
    CONTENT = "batch.content"
    COUNT = "batch.count"
    DIGEST = "batch.digest"
    DUPLICATE_COLLECTION = "batch.duplicate_collection"
    IMPACT_ASSESSMENT = "batch.impact_assessment"
    LEVEL = "batch.level"
    LICENCE = "batch.licence"
    REUSED = "batch.reused"
    RIGHTS = "batch.rights"
    SCHEMA = "batch.schema"
    SIGNATURE = "batch.signature"
    SITE = "batch.site"
    SUBMITTER = "batch.submitter"
    TIME = "batch.time"


WORDS: dict[Refusal, tuple[Text, Text]] = {
    Refusal.ASSET: (
        Text("catalog_code 不是贵方的数据表。", "`catalog_code` names no table of yours."),
        Text("请核对资源代码；表须先发布一次。", "Check the code; a table is published once before batches."),
    ),
    Refusal.BYTES: (
        Text("文件的字节数与批次头不符。", "The file has another size than the header says."),
        Text("请重新传输，或改正批次头。", "Send it again, or correct the header."),
    ),
    Refusal.CALIBRATION: (
        Text("采集时设备不在校准有效期内。", "The device was not calibrated when this was collected."),
        Text("请校准设备；未校准时段的数据不收。", "Calibrate it; what was measured without is not taken."),
    ),
    Refusal.COLUMNS: (
        Text("文件的列与批次头或数据表的列不符。", "The columns are not those of the header or of the table."),
        Text("请按该结构版本的列提供。", "Provide the columns of that schema version."),
    ),
    Refusal.CONTENT: (
        Text("文件读不成表。", "The file cannot be read as a table."),
        Text("请按所述的行列改正后重发。", "Correct it where it says, and send it again."),
    ),
    Refusal.COUNT: (
        Text("文件的行数与批次头不符。", "The file has another number of rows than the header says."),
        Text("请核对是否截断，改正后重发。", "Check whether it was cut short, and send it again."),
    ),
    Refusal.DIGEST: (
        Text("文件的 SM3 与批次头不符，内容已损坏或被改动。", "The file's SM3 is not the header's: it was altered."),
        Text("请重新传输。", "Send it again."),
    ),
    Refusal.DUPLICATE_COLLECTION: (
        Text("这些数据可由共享获得，不得重复收集。", "This can be had by sharing, so it is not collected again."),
        Text("请在目录中申请共享。", "Ask its holder to share it."),
    ),
    Refusal.IMPACT_ASSESSMENT: (
        Text("网络搜集个人信息须有影响评估编号。", "Taking personal information from the web needs an assessment."),
        Text("请先评估，并填写 impact_assessment。", "Assess it first and state `impact_assessment`."),
    ),
    Refusal.LEVEL: (
        Text(
            "批次的级别高于数据表的级别，或低于该渠道的要求。", "Its level is above the table's or below the channel's."
        ),
        Text("请送入相应级别的表。", "Send it to a table of that level."),
    ),
    Refusal.LICENCE: (
        Text("采购许可已到期。", "The licence it was bought under has ended."),
        Text("请续期后再送。", "Renew it first."),
    ),
    Refusal.REUSED: (
        Text("这个批次号已用于另一批内容。", "This batch id was used for another batch already."),
        Text("请为新内容使用新的批次号。", "Use a new id for new content."),
    ),
    Refusal.RIGHTS: (
        Text("捐赠方没有保证其有权捐赠。", "The donor does not warrant a right to give it."),
        Text("请先取得保证。", "Obtain the warranty first."),
    ),
    Refusal.SCHEMA: (
        Text("批次头的结构版本不是数据表现在的结构版本。", "The header's schema version is not the table's."),
        Text("请按现行结构版本提供。", "Provide it in the present schema version."),
    ),
    Refusal.SIGNATURE: (
        Text("签名不是提交方有效的登记密钥所签。", "No valid registered key of the submitter signed this."),
        Text("请登记密钥，或用有效的密钥重新签名。", "Register the key, or sign with a valid one."),
    ),
    Refusal.SITE: (
        Text(
            "该网站不许抓取，或内容须登录才能看到。",
            "The site forbids it, or the content is behind a login.",
        ),
        Text("请改用许可的渠道。", "Obtain it in a permitted way."),
    ),
    Refusal.SUBMITTER: (
        Text("批次头的提交方不是现在提交的主体。", "The header names another submitter."),
        Text("请由提交方自己提交。", "Have that party submit it."),
    ),
    Refusal.TIME: (
        Text("采集时间在将来。", "It says that it was collected in the future."),
        Text("请核对时钟与时区。", "Check the clock and the time zone."),
    ),
}


def refused(code: Refusal, **where: Any) -> ShuduError:
    """The error of that code; `where` names what was declared and what was found, never a value of the table."""
    message, remedy = WORDS[code]
    kind = Conflict if code is Refusal.REUSED else Invalid
    return kind(code.value, message, remedy, where)
