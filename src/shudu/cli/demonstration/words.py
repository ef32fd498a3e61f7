"""Words to make names of people, streets and firms from. Whoever is really called so is not meant."""

from __future__ import annotations

from .chance import Bools, Chance

_SURNAMES = dict(
    zip(
        "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢",
        range(70, 18, -1),
        strict=False,
    )
)
_GIVEN_MEN = "伟强磊军洋勇杰涛明超刚平辉鹏华飞波斌宇浩凯健俊帆旭宁龙林欢阳诚文武松柏川江河山"
_GIVEN_WOMEN = "芳娜敏静丽艳娟霞秀燕玲桂丹萍红玉兰英梅莉雪琳颖倩婷慧莹露瑶佳欣怡雯蓉竹菊荷"
# Real characters beyond the old character sets, two of them outside the basic plane: names like these must survive.
_GIVEN_RARE = "𠮷䶮㐂堃喆犇"

_ROAD_FIRST = "芙蓉 锦水 望月 听雨 百草 麓湖 花照 银杏 青苔 竹影 云栖 沙渠 石笋 晚晴 金沙 梅影".split()
_ROAD_LAST = "路 街 巷 大道 横街 北路 南路 东街".split()
FIRM_FIRST = "锦水 芙蓉 银杏 望月 百草 青苔 竹影 云栖 石笋 晚晴 花照 麓湖 沙渠 听雨 川流 平畴 远山 新苗".split()
FIRM_SECOND = "宏 达 瑞 诚 恒 丰 信 安 源 泰 和 盛 通 联 创 佳 美 嘉 鑫 汇".split()


def people(chance: Chance, women: Bools) -> list[str]:
    """Names, some of one and most of two given characters, a few with a rare one."""
    count = len(women)
    surnames = chance.pick(_SURNAMES, count)
    first, second = chance.uniform(count), chance.uniform(count)
    short, rare = chance.happens(0.22, count), chance.happens(0.004, count)
    names = []
    for row in range(count):
        letters = _GIVEN_WOMEN if women[row] else _GIVEN_MEN
        last = _GIVEN_RARE if rare[row] else letters
        given = last[int(second[row] * len(last))]
        names.append(surnames[row] + ("" if short[row] else letters[int(first[row] * len(letters))]) + given)
    return names


def addresses(chance: Chance, districts: list[str]) -> list[str]:
    """A street and a number in each district; the streets are invented."""
    count = len(districts)
    first, last = chance.any_of(_ROAD_FIRST, count), chance.any_of(_ROAD_LAST, count)
    number, floor, room = chance.whole(1, 399, count), chance.whole(1, 32, count), chance.whole(1, 12, count)
    return [
        f"锦官市{districts[row]}{first[row]}{last[row]}{number[row]}号{floor[row]}层{room[row]:02d}室"
        for row in range(count)
    ]
