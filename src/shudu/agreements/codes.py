"""The closed code tables terms are written in: codes are stored, labels are shown.

Purposes follow W3C's Data Privacy Vocabulary; legal bases follow 《个人信息保护法》 第十三条, with one more for
data that hold no personal information. A later table may add codes and says so by its version; it never gives a code
a new meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from shudu.policy.types import Text


class Purpose(StrEnum):
    RESEARCH = "research"
    PUBLIC_SERVICE = "public_service"
    STATISTICS = "statistics"
    MARKETING = "marketing"
    FRAUD_PREVENTION = "fraud_prevention"
    CREDIT_CHECKING = "credit_checking"
    INSURANCE_PRICING = "insurance_pricing"
    SERVICE_IMPROVEMENT = "service_improvement"
    MODEL_TRAINING = "model_training"
    SAFETY = "safety"
    AUDIT = "audit"


class Basis(StrEnum):
    CONSENT = "consent"
    CONTRACT = "contract"
    LEGAL_DUTY = "legal_duty"
    EMERGENCY = "emergency"
    PUBLIC_INTEREST_REPORTING = "public_interest_reporting"
    LAWFULLY_DISCLOSED = "lawfully_disclosed"
    OTHER_LAW = "other_law"
    NO_PERSONAL_DATA = "no_personal_data"


class UseAction(StrEnum):
    READ = "read"
    QUERY = "query"
    DOWNLOAD = "download"
    COMPUTE = "compute"
    SCORE_OWN_LIST = "score_own_list"
    DELIVER_DERIVED = "deliver_derived"


class ReleaseClass(StrEnum):
    """What may leave a clean room (docs: clean room, release classes)."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"


class Metric(StrEnum):
    """What release class B may name (docs: the clean room's fixed library)."""

    AUC = "auc"
    KS = "ks"
    LOG_LOSS = "log_loss"
    RMSE = "rmse"
    CALIBRATION = "calibration"
    COUNTS = "counts"


class OnRevocation(StrEnum):
    """What becomes of results when the agreement is revoked, from the mildest to the strictest."""

    STAND = "stand"
    WITHDRAWN = "withdrawn"
    ERASED = "erased"

    @property
    def strictness(self) -> int:
        return list(OnRevocation).index(self)


class RevocationReason(StrEnum):
    """Why an assigner ends an agreement before its time."""

    BREACH = "breach"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    LEGAL_ORDER = "legal_order"
    RIGHT_LOST = "right_lost"
    SECURITY = "security"
    MUTUAL = "mutual"


@dataclass(frozen=True, slots=True)
class Table:
    """One code table as shipped: its title, its version and a label for every code."""

    title: Text
    version: int
    labels: Mapping[str, Text]

    def label(self, code: str) -> Text:
        """What a reader sees for `code`; an unknown code is shown as such, never guessed."""
        known = self.labels.get(code)
        return known or Text(f"“{code}”（未知代码，一律不予许可）", f"“{code}” (an unknown code, never permitted)")

    def list(self, codes: Iterable[str]) -> Text:
        """Labels of several codes, in the table's order, unknown ones last."""
        order = list(self.labels)
        asked = sorted(codes, key=lambda code: (order.index(code) if code in self.labels else len(order), code))
        words = [self.label(code) for code in asked]
        return Text("、".join(word.zh for word in words) or "无", ", ".join(word.en for word in words) or "none")


PURPOSES = Table(
    Text("用途", "purpose"),
    1,
    {
        Purpose.RESEARCH: Text("科学研究", "research"),
        Purpose.PUBLIC_SERVICE: Text("公共服务", "public service"),
        Purpose.STATISTICS: Text("统计分析", "statistics"),
        Purpose.MARKETING: Text("市场营销", "marketing"),
        Purpose.FRAUD_PREVENTION: Text("反欺诈", "fraud prevention"),
        Purpose.CREDIT_CHECKING: Text("信用核查", "credit checking"),
        Purpose.INSURANCE_PRICING: Text("保险定价", "insurance pricing"),
        Purpose.SERVICE_IMPROVEMENT: Text("服务改进", "service improvement"),
        Purpose.MODEL_TRAINING: Text("模型训练", "model training"),
        Purpose.SAFETY: Text("安全保障", "safety"),
        Purpose.AUDIT: Text("审计监督", "audit"),
    },
)

BASES = Table(
    Text("合法性基础", "legal basis"),
    1,
    {
        Basis.CONSENT: Text("取得个人同意", "consent of the person"),
        Basis.CONTRACT: Text("订立、履行合同所必需", "needed for a contract"),
        Basis.LEGAL_DUTY: Text("履行法定职责或者法定义务所必需", "needed for a statutory duty"),
        Basis.EMERGENCY: Text("应对突发公共卫生事件或紧急情况", "public-health or other emergency"),
        Basis.PUBLIC_INTEREST_REPORTING: Text("为公共利益的新闻报道、舆论监督", "reporting in the public interest"),
        Basis.LAWFULLY_DISCLOSED: Text("个人自行公开或已合法公开", "already lawfully disclosed"),
        Basis.OTHER_LAW: Text("法律、行政法规规定的其他情形", "another case laid down by law"),
        Basis.NO_PERSONAL_DATA: Text("不涉及个人信息", "no personal data involved"),
    },
)

ACTIONS = Table(
    Text("使用方式", "action"),
    1,
    {
        UseAction.READ: Text("查看", "read"),
        UseAction.QUERY: Text("查询", "query"),
        UseAction.DOWNLOAD: Text("下载", "download"),
        UseAction.COMPUTE: Text("参与计算", "compute"),
        UseAction.SCORE_OWN_LIST: Text("为需方自有名单评分", "score the buyer's own list"),
        UseAction.DELIVER_DERIVED: Text("交付衍生数据", "deliver derived results"),
    },
)

RELEASES = Table(
    Text("放行类别", "release class"),
    1,
    {
        ReleaseClass.A: Text("A 类（汇总表）", "class A (an aggregate table)"),
        ReleaseClass.B: Text("B 类（约定的指标）", "class B (named metrics)"),
        ReleaseClass.C: Text("C 类（逐行评分，仅限名单提供者）", "class C (per-row scores, for their supplier)"),
        ReleaseClass.D: Text("D 类（训练所得模型）", "class D (a trained model)"),
        ReleaseClass.E: Text("E 类（文件或日志）", "class E (a file or log)"),
    },
)

METRICS = Table(
    Text("指标", "metric"),
    1,
    {
        Metric.AUC: Text("AUC 值", "AUC"),
        Metric.KS: Text("KS 值", "KS"),
        Metric.LOG_LOSS: Text("对数损失", "log loss"),
        Metric.RMSE: Text("均方根误差", "RMSE"),
        Metric.CALIBRATION: Text("校准表", "calibration table"),
        Metric.COUNTS: Text("计数", "counts"),
    },
)

ON_REVOCATION = Table(
    Text("撤销后的处理", "on revocation"),
    1,
    {
        OnRevocation.STAND: Text("已交付的结果继续有效", "results already delivered stand"),
        OnRevocation.WITHDRAWN: Text("结果停止提供", "results are withdrawn"),
        OnRevocation.ERASED: Text("结果予以删除", "results are erased"),
    },
)

REVOCATION_REASONS = Table(
    Text("撤销原因", "reason for revocation"),
    1,
    {
        RevocationReason.BREACH: Text("对方违反使用条件", "the terms were breached"),
        RevocationReason.CONSENT_WITHDRAWN: Text("个人撤回同意", "a person withdrew consent"),
        RevocationReason.LEGAL_ORDER: Text("依法责令停止", "ordered by law"),
        RevocationReason.RIGHT_LOST: Text("不再享有相应权利", "the assigner's right has ended"),
        RevocationReason.SECURITY: Text("存在安全风险", "a security risk"),
        RevocationReason.MUTUAL: Text("双方协商一致", "by mutual consent"),
    },
)

TABLES = (PURPOSES, BASES, ACTIONS, RELEASES, METRICS, ON_REVOCATION, REVOCATION_REASONS)
