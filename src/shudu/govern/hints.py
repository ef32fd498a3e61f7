"""What a column's name hints at, in Chinese and in English.

Chinese hints are looked for anywhere in the name, English ones as whole words: `phoneNumber`, `phone_number` and
`PHONE NUMBER` are the words phone and number, `microphone` is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


@dataclass(frozen=True, slots=True)
class Hint:
    """Chinese fragments, and English phrases of one or more words; a name that fits `against` does not fit."""

    chinese: tuple[str, ...]
    english: tuple[str, ...]
    against: Hint | None = None

    def fits(self, name: str) -> bool:
        if self.against is not None and self.against.fits(name):
            return False
        words = f" {' '.join(_WORD.findall(name)).lower()} "
        return any(part in name for part in self.chinese) or any(f" {phrase} " in words for phrase in self.english)


MOBILE = Hint(
    ("手机", "电话", "联系方式", "移动号码"),
    ("phone", "mobile", "cell", "tel", "telephone", "msisdn", "shouji", "contact number"),
)
NAME = Hint(
    ("姓名", "人名", "户主", "联系人", "名字"),
    ("name", "fullname", "surname", "xingming", "contact"),
    against=Hint(
        ("名称", "公司", "企业", "单位", "产品"),
        ("product", "company", "organisation", "organization", "file", "brand", "item", "shop", "store", "place",
         "city", "district", "street", "station", "school", "project", "column", "table", "service", "plan"),
    ),
)  # fmt: skip
ADDRESS = Hint(
    ("地址", "住址", "住所", "居住地"),
    ("address", "addr", "street", "residence", "dizhi"),
    against=Hint(("IP地址", "网址", "网络地址", "MAC地址", "邮箱"), ("ip", "mac", "email", "mail", "web", "url")),
)
HEALTH = Hint(
    ("病历", "病史", "诊断", "疾病", "病种", "症状", "用药", "处方", "手术", "过敏", "血压", "血糖", "血型", "体检",
     "就诊", "住院", "怀孕", "残疾", "疫苗", "基因"),
    ("diagnosis", "diagnoses", "disease", "medical", "medication", "prescription", "symptom", "symptoms", "allergy",
     "allergies", "blood pressure", "blood type", "glucose", "pregnant", "pregnancy", "disability", "icd", "vaccine",
     "genome", "health"),
    against=Hint(("设备", "故障"), ("device", "engine", "vehicle")),
)  # fmt: skip
FINANCE = Hint(
    ("银行账号", "银行账户", "银行卡", "开户行", "存款", "贷款", "信贷", "征信", "信用分", "收入", "工资", "薪资",
     "薪酬", "负债", "账户余额", "公积金", "纳税额"),
    ("bank account", "account balance", "bank card", "credit score", "credit history", "credit limit", "income",
     "salary", "wage", "wages", "loan", "loans", "mortgage", "debt", "deposit", "deposits", "iban", "net worth"),
)  # fmt: skip
# What others may know a person by, together with more of the same (GB/T 37964-2019, 准标识符).
QUASI = Hint(
    ("性别", "年龄", "出生", "生日", "区县", "区划", "地区", "区域", "街道", "社区", "邮编", "邮政编码", "民族", "籍贯",
     "职业", "婚姻", "学历", "车牌"),
    ("gender", "sex", "age", "birth", "birthday", "birthdate", "dob", "district", "region", "county", "street",
     "postcode", "zip", "postal code", "ethnicity", "nationality", "occupation", "profession", "marital", "education",
     "plate", "latitude", "longitude"),
)  # fmt: skip
