"""Code tables and operands: nothing lacks a word, and every operand says whether the machine enforces it."""

from __future__ import annotations

import re

import pytest

from shudu.agreements.codes import (
    ACTIONS,
    BASES,
    ON_REVOCATION,
    PURPOSES,
    RELEASES,
    REVOCATION_REASONS,
    TABLES,
    Basis,
    OnRevocation,
    Purpose,
    ReleaseClass,
    RevocationReason,
    Table,
    UseAction,
)
from shudu.agreements.operands import OPERANDS, label_of, plain_words
from shudu.agreements.terms import NOTHING, Onward, Terms, Use

HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize(
    ("table", "codes"),
    [
        (PURPOSES, Purpose),
        (BASES, Basis),
        (ACTIONS, UseAction),
        (RELEASES, ReleaseClass),
        (ON_REVOCATION, OnRevocation),
        (REVOCATION_REASONS, RevocationReason),
    ],
)
def test_every_code_has_a_label(table: Table, codes: type[Purpose]) -> None:
    assert list(table.labels) == list(codes)
    assert table in TABLES


def test_the_shipped_codes() -> None:
    """The tables are fixed by the kernel: a code that goes missing or changes breaks rows that hold it."""
    assert " ".join(Purpose) == (
        "research public_service statistics marketing fraud_prevention credit_checking insurance_pricing "
        "service_improvement model_training safety audit"
    )
    assert " ".join(Basis) == (
        "consent contract legal_duty emergency public_interest_reporting lawfully_disclosed other_law no_personal_data"
    )
    assert " ".join(UseAction) == "read query download compute score_own_list deliver_derived"
    assert "".join(ReleaseClass) == "ABCDE"
    assert [code.strictness for code in (OnRevocation.STAND, OnRevocation.WITHDRAWN, OnRevocation.ERASED)] == [0, 1, 2]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.title.en)
def test_labels_are_in_both_languages_and_tell_codes_apart(table: Table) -> None:
    for text in (table.title, *table.labels.values()):
        assert HAN.search(text.zh)
        assert not HAN.search(text.en)
    assert len({text.zh for text in table.labels.values()}) == len(table.labels)
    assert len({text.en for text in table.labels.values()}) == len(table.labels)
    assert table.version >= 1


def test_lists_keep_the_tables_order_and_show_unknown_codes() -> None:
    assert PURPOSES.list({"audit", "research"}).zh == "科学研究、审计监督"
    assert "unknown" in PURPOSES.list({"gossip"}).en
    assert PURPOSES.list([]).en == "none"


def test_the_table_of_operands_is_the_schema() -> None:
    fields = {f"use.{name}" for name in Use.model_fields} | {f"onward.{name}" for name in Onward.model_fields}
    assert set(OPERANDS) == fields | {"v"}
    assert label_of("use.release.min_group") == OPERANDS["use.release"].label
    assert label_of("use.colour").en == "use.colour"


def test_what_no_machine_can_see_is_marked_legal_only() -> None:
    legal = {name for name, operand in OPERANDS.items() if not operand.enforced}
    assert legal == {"use.bases", "onward.purposes", "onward.on_revocation"}


def test_terms_in_plain_words(terms: Terms) -> None:
    said = plain_words(terms)
    assert len(said) == len(OPERANDS) - 1
    chinese = [text.zh for text, _ in said]
    assert "数据列：customer_no、region、tenure。" in chinese
    assert "次数：至多 3 次。" in chinese
    assert "放行规则：A 类（汇总表），分组列 region，每组至少 10 个主体。" in chinese
    assert "期限：自 2026-01-01 08:00 起至 2026-12-31 23:59 止（北京时间）。" in chinese
    english = {text.en: enforced for text, enforced in said}
    assert english["Purpose: research, statistics."] is True
    assert english["Legal basis: no personal data involved."] is False
    assert "数据行：region属于 成都、眉山。" in chinese
    assert english["Rows: region in 成都, 眉山."] is True
    assert english["Masked columns: region (address to the street)."] is True
    assert not any(HAN.search(text.en) for text, _ in said if not text.en.startswith("Rows: "))
    closed = plain_words(terms.model_copy(update={"onward": NOTHING}))
    assert closed[-1][0].en == "Results: may be put to no use."
