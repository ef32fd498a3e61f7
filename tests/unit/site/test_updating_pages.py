"""A table's next version by its form, and the page that says what a version changed, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

from django.core.files.uploadedfile import SimpleUploadedFile

from shudu.catalog.models import Version

from .test_market_pages import HAN_NAMES, Town, town, with_rows_aside
from .test_pages import check_languages

__all__ = ["town"]

HEAD = "customer_no,contract,tenure,district\n"


def sent(rows: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("more.csv", (HEAD + rows).encode())


def newest(asset: str) -> Version:
    return Version.objects.filter(binding__asset=asset).order_by("-number")[0]


def test_the_next_version_by_its_form(town: Town) -> None:
    asset = town.ids["asset"]
    first = newest(asset)
    form = town.get("provider", "asset_update", asset).content.decode()
    expected = re.search(r'name="expected" value="(\w+)"', form)
    assert expected is not None
    assert expected[1] == first.id
    order = {"mode": "upsert", "expected": first.id}
    rows = "K0001,一年,71,武侯区\nK9001,两年,5,锦江区\n"
    place = town.post("provider", "asset_update", asset, file=sent(rows), key="u", **order)
    assert place == f"/assets/{asset}/"
    second = newest(asset)
    assert (second.number, second.rows, second.change["mode"]) == (2, first.rows + 1, "upsert")

    # Somebody else was quicker: nothing is published over what one has not seen.
    late = town.clients["provider"].post(f"/assets/{asset}/update/", {"file": sent(rows), "key": "v", **order})
    assert late.status_code == 409
    assert 'role="alert"' in late.content.decode()
    assert newest(asset) == second

    town.post("stranger", "asset_update", asset, file=sent(rows), key="w", status=404, **order)
    assert newest(asset) == second

    for who, sees in (("provider", True), ("operator", False)):
        for one, said in ((second, ["更改", "71", "K9001"]), (first, ["第一版"])):
            path = f"/assets/{asset}/changes/?version={one.id}"
            check_languages(town.clients[who], path, (*HAN_NAMES, "锦江区", "武侯区", "一年", "两年"))
            page = town.clients[who].get(f"{path}&lang=zh").content.decode()
            assert all(words in page for words in said) is (sees or one is first), (who, one.number)
            assert ("恢复为最新" in page) is (sees and one is first)
    town.post("provider", "asset_restore", asset, version=first.id, key="r")
    assert (newest(asset).number, newest(asset).rows) == (3, first.rows)


def test_a_list_of_what_was_replaced_says_so(town: Town, tmp_path: Path) -> None:
    with_rows_aside(town, tmp_path)
    aside = Version.objects.get(pk=town.ids["aside"])
    asset, header = aside.binding.asset_id, ",".join(column["name"] for column in aside.columns)
    page = town.get("provider", "correction", aside.id).content.decode()
    assert "接续" not in page
    file = SimpleUploadedFile("whole.csv", f"{header}\n{','.join('7' for _ in aside.columns)}\n".encode())
    town.post("provider", "asset_update", asset, file=file, key="z", mode="replace", expected=newest(asset).id)
    check_languages(town.clients["provider"], f"/corrections/{aside.id}/", HAN_NAMES)
    for path, said in (
        (f"/corrections/{aside.id}/", "接续"),
        ("/corrections/", "已被替换"),
        (f"/assets/{asset}/", "已被替换"),
    ):
        assert said in town.clients["provider"].get(f"{path}?lang=zh").content.decode(), path
