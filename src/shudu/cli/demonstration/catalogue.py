"""What each table and model of the demonstration is called, whose it is, and what its catalogue entry says.

Levels are those `govern` suggests, or one step stricter where a plate or a card tells where somebody was; open data is
level 1 by decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from shudu.catalog.types import CoreFields

from . import fit_trees

Origin = Literal["real rows, synthetic key", "synthetic"]


@dataclass(frozen=True, slots=True)
class Entry:
    """`owner` is a word of `parties.CAST`; `key` is what one row is about."""

    owner: str
    title: str
    title_en: str
    key: str
    level: str
    core: CoreFields
    origin: Origin = "synthetic"


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """With a card it is a model in ONNX, without one a scorecard."""

    owner: str
    title: str
    title_en: str
    card: dict[str, Any] | None = None


def _core(path: str, zh: str, en: str, **rest: Any) -> CoreFields:
    """Every entry says what it is made of; `rest` are the fields of sharing and opening."""
    abstract = {"zh": f"{zh}合成数据，不涉及真实个人或单位。", "en": f"{en} Synthetic: nobody real occurs."}
    return CoreFields(class_path=path, abstract=abstract, publish_date=date(2026, 1, 5), **rest)


def _conditional(condition: str, cycle: str, **rest: Any) -> dict[str, Any]:
    return {"share_type": "2", "share_condition": condition, "share_method": "1", "update_cycle": cycle, **rest}


TABLES: dict[str, Entry] = {
    "customers": Entry(
        "provider", "电信客户（真实数据行，合成编号）", "Telecom customers (real rows, synthetic key)",
        "customer_no", "L2",
        CoreFields(
            class_path="2 主题信息资源/02 行业/011 电信/客户",
            abstract={
                "zh": "公开教学数据集 wa_churn 的一半数据行，客户编号为合成。各列为套餐、在网月数与费用。",
                "en": "One half of the rows of the public teaching set wa_churn: plans, months, charges. The customer "
                "number is synthetic.",
            },
            publish_date=date(2026, 1, 5),
        ),
        "real rows, synthetic key",
    ),
    "enterprises": Entry(
        "market", "企业登记信息（合成数据）", "Register of firms (synthetic)", "统一社会信用代码", "L3",
        _core(
            "1 基础信息资源/02 法人单位/001 登记/企业登记", "锦官市市场主体登记事项，每行一家。",
            "One row for each registered firm of the invented city.",
            **_conditional("用于行政管理、公共服务与统计分析；不得用于营销联系。", "2"),
        ),
    ),
    "parking": Entry(
        "urban", "停车记录（合成数据）", "Parking records (synthetic)", "记录编号", "L3",
        _core(
            "2 主题信息资源/09 城乡建设/003 停车/停车记录",
            "2025 年公共停车场进出记录的抽样，每行一次停放。时长以分钟计，金额以元计。",
            "A sample of one year's stays in public car parks, one row each; minutes and yuan.",
            **_conditional("按停车场或行政区汇总使用；不得还原单车轨迹。", "2"),
        ),
    ),
    "bus": Entry(
        "transport", "公交刷卡记录（合成数据）", "Bus card records (synthetic)", "流水号", "L3",
        _core(
            "2 主题信息资源/01 公共服务/006 公共交通/刷卡", "2025 年公交刷卡记录的抽样，每行一次上车。卡号已替换。",
            "A sample of one year's boardings, one row each; card numbers are replaced.",
            **_conditional("用于线网优化与客流统计；不得识别持卡人。", "2"),
        ),
    ),
    "outpatient": Entry(
        "health", "门诊就诊记录（合成数据）", "Outpatient visits (synthetic)", "就诊流水号", "L4",
        _core(
            "2 主题信息资源/02 健康保障/004 医疗服务/门诊",
            "2025 年门诊就诊记录的抽样，每行一次就诊。诊断按 ICD-10 编码，金额以元计。",
            "A sample of one year's outpatient visits, one row each; ICD-10, yuan.",
            **_conditional("仅限数据沙箱内计算，结果按五十人以上分组放行；《个人信息保护法》第二十八条。", "2"),
        ),
    ),
    "insurance": Entry(
        "labour", "社会保险参保信息（合成数据）", "Social insurance (synthetic)", "个人编号", "L4",
        _core(
            "2 主题信息资源/03 社会保障/001 社会保险/参保", "2025 年末参保人员信息的抽样，每行一人。工资以元计。",
            "A sample of the insured at the end of 2025, one row each; yuan.",
            **_conditional("仅限数据沙箱内计算，不提供明细；《社会保险法》第八十一条。", "4"),
        ),
    ),
    "stations": Entry(
        "environment", "空气质量监测站名录（合成数据）", "Air quality stations (synthetic)", "站点编号", "L1",
        _core(
            "2 主题信息资源/11 生态环保/002 大气/监测站", "二十四个监测站的编号、类型与位置。",
            "Number, kind and place of twenty-four stations.",
            share_type="1", share_method="2", open_flag="1", update_cycle="6",
        ),
    ),
    "readings": Entry(
        "environment", "空气质量日均值（合成数据）", "Daily air quality (synthetic)", "记录编号", "L1",
        _core(
            "2 主题信息资源/11 生态环保/002 大气/日均值",
            "2025 年各站六项污染物日均值与空气质量指数（HJ 633），一氧化碳为毫克每立方米，其余为微克每立方米。",
            "Six pollutants and the index of HJ 633 by station and day of 2025; mg/m³ for CO, µg/m³ for the others.",
            share_type="1", share_method="2", open_flag="1", update_cycle="2",
        ),
    ),
}  # fmt: skip

MODELS: dict[str, ModelEntry] = {
    "churn": ModelEntry("modeller", "客户留存评分卡", "Customer retention scorecard"),
    "churn_trees": ModelEntry("modeller", "客户流失预测（ONNX）", "Customer churn (ONNX)", fit_trees.CARD),
    "survival": ModelEntry("software", "企业存续评分卡", "Firm survival scorecard"),
    "turnover": ModelEntry("mobility", "停车周转评分卡", "Parking turnover scorecard"),
    "return_visit": ModelEntry("clinical", "门诊复诊评分卡", "Outpatient return scorecard"),
    "continuity": ModelEntry("modeller", "参保连续评分卡", "Insurance continuity scorecard"),
    "representative": ModelEntry("consultant", "站点代表性评分卡", "Station representativeness scorecard"),
}
