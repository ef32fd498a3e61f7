"""The main job over HTTP: from a file to a receipt, each party with its own token."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json

import pyarrow.parquet as pq
from django.core.files.uploadedfile import SimpleUploadedFile

from shudu.runs.worker import spread_news

from .conftest import CODES, MODEL, TABLE, Market, Parts


def test_from_a_file_to_a_receipt(market: Market) -> None:
    market.publish()
    shown = market.provider.get(f"/assets/{market.ids['asset']}")
    assert shown["title"] == {"zh": "客户", "en": "Customers"}
    assert shown["version"]["rows"] == 120
    assert [column["name"] for column in shown["columns"]] == ["customer_no", "contract", "tenure", "district"]
    assert shown["version"]["source_sha256"] == hashlib.sha256(TABLE).hexdigest()
    assert market.modeller.get(f"/assets/{market.ids['model']}")["level"] == "L3"

    market.trade()
    offer = market.buyer.get(f"/offers/{market.ids['offer']}")
    assert {line["role"]: line["accepted"] for line in offer["lines"]} == {"data": True, "model": True}
    words = [term for line in offer["lines"] for term in line["terms"]]
    assert {term["enforced"] for term in words} == {True, False}
    assert all(term["text"]["zh"] and term["text"]["en"] for term in words)
    buyer = market.buyer.get(f"/accounts/{market.buyer.party}")
    assert (buyer["available_fen"], buyer["reserved_fen"]) == (1_000_000 - 120_001, 120_001)

    market.run()
    run = market.buyer.get(f"/runs/{market.ids['run']}")
    assert {one["role"] for one in run["inputs"]} == {"data", "model"}
    assert run["checks"]
    order = market.buyer.get(f"/orders/{market.ids['order']}")
    assert [one["state"] for one in order["runs"]] == ["settled"]
    assert sum(order["runs"][0]["split_fen"].values()) == 120_001
    paid = market.provider.get(f"/accounts/{market.provider.party}")["available_fen"]
    assert paid == order["runs"][0]["split_fen"]["provider"] > 0

    product = market.buyer.call("GET", f"/results/{market.ids['result']}/product.csv")
    assert product.status_code == 200
    assert product["Content-Type"] == "text/csv; charset=utf-8"
    assert product["Content-Disposition"] == f'attachment; filename="{market.ids["result"]}.product.csv"'
    digest = base64.b64encode(hashlib.sha256(product.content).digest()).decode()
    assert product["Repr-Digest"] == f"sha-256=:{digest}:"
    rows = list(csv.DictReader(io.StringIO(product.content.decode("utf-8-sig"))))
    assert rows
    parquet = market.buyer.call("GET", f"/results/{market.ids['result']}/product.parquet")
    assert parquet["Content-Type"] == "application/vnd.apache.parquet"
    assert pq.read_table(io.BytesIO(parquet.content)).num_rows == len(rows)
    deliveries = [one for one in market.buyer.get("/runs")["items"] if one["kind"] == "delivery"]
    assert len(deliveries) == 2

    spread_news()
    assert product["Link"] == f'</api/v1/runs/{deliveries[1]["id"]}/receipt>; rel="describedby"'
    receipt = market.buyer.call("GET", f"/runs/{market.ids['run']}/receipt")
    delivery = market.buyer.call("GET", f"/runs/{deliveries[1]['id']}/receipt")
    for paper in (receipt, delivery):
        assert paper["Content-Type"] == "application/json"
        about = SimpleUploadedFile("result.csv", product.content)
        said = market.auditor.do("POST", "/receipts/verify", Parts(None, paper.content, more={"product": about}))
        assert said["ok"], said
    spoiled = SimpleUploadedFile("result.csv", product.content + b"\n")
    said = market.auditor.do("POST", "/receipts/verify", Parts(None, receipt.content, more={"product": spoiled}))
    assert [check["name"] for check in said["checks"] if not check["ok"]] == ["product"]
    about_other = receipt.content.replace(b"shudu-receipt/1", b"shudu-receipt/2")
    told = market.auditor.refused(422, "POST", "/receipts/verify", Parts(None, about_other))
    assert told["code"].startswith("receipt.")


def test_a_revoked_agreement_stops_the_next_run_and_says_why(traded: Market) -> None:
    agreement = traded.buyer.get(f"/agreements/{traded.ids['agreement']}")
    assigner = next(one for one in (traded.provider, traded.modeller) if one.party == agreement["assigner"])
    told = traded.buyer.refused(403, "POST", f"/agreements/{agreement['id']}/revoke", {"reason": "breach"})
    assert told["code"] == "agreement.revoke.assigner"
    codes = traded.provider.refused(422, "POST", f"/agreements/{agreement['id']}/revoke", {"reason": "x"})
    reason = codes["fields"][0]["message"].split("'")[1]
    assert assigner.do("POST", f"/agreements/{agreement['id']}/revoke", {"reason": reason})["state"] == "revoked"
    told = traded.buyer.refused(403, "POST", f"/orders/{traded.ids['order']}/runs")
    assert told["code"] == "agreement.revoked"
    assert [one["rule"] for one in told["reasons"] if not one["allowed"]] == ["agreement.revoked"]
    assert traded.buyer.get(f"/accounts/{traded.buyer.party}")["reserved_fen"] == 120_001


def test_before_the_ledger_has_it_a_receipt_is_not_yet_there(traded: Market) -> None:
    run = traded.buyer.do("POST", f"/orders/{traded.ids['order']}/runs")["id"]
    assert traded.buyer.refused(404, "GET", f"/runs/{run}/receipt")["code"] == "not_found"


def test_the_operator_registers_deposits_reviews_and_sees_but_does_not_trade(market: Market) -> None:
    operator = market.operator
    assert operator.get("/me")["roles"] == ["operator"]
    assert operator.refused(403, "POST", "/assets", Parts({"title": "x"}, TABLE))["code"].startswith("asset.publish")
    fields = {"title": "重要", "key": "customer_no", "level": "L5"}
    asset = market.provider.do("POST", "/assets", Parts(fields, TABLE))
    assert asset["state"] == "awaiting_review"
    market.ids["asset"] = asset["id"]
    market.ids["model"] = market.modeller.do(
        "POST", "/models", Parts({"inputs": ["tenure", "contract"]}, MODEL, "card.json")
    )["id"]
    body = {"data": asset["id"], "model": market.ids["model"]}
    told = market.provider.refused(409, "POST", "/offers", {**_terms(), **body})
    assert told["code"] == "asset.awaiting_review"
    assert market.provider.refused(403, "POST", f"/assets/{asset['id']}/review", {"opinion": "可"})
    assert operator.do("POST", f"/assets/{asset['id']}/review", {"opinion": "可用"})["state"] == "active"
    assert operator.refused(403, "DELETE", f"/versions/{asset['version']['id']}")["code"].startswith("asset.erase")
    gone = market.provider.do("DELETE", f"/versions/{asset['version']['id']}")
    assert gone["state"] == "erased"
    assert gone["files"][0]["sha256"] == asset["version"]["files"][0]["sha256"]
    assert market.provider.get(f"/assets/{asset['id']}")["version"] is None
    code = CODES["buyer"]
    assert [one["id"] for one in operator.get(f"/parties?code={code}")["items"]] == [market.buyer.party]
    lines = market.buyer.get(f"/accounts/{market.buyer.party}/statement")["items"]
    assert [(line["reason"], line["available_fen"]) for line in lines] == [("deposit", 1_000_000)]
    assert operator.refused(422, "POST", "/parties", {"name": "x", "code": "123"})["code"].startswith("identity.")
    assert operator.refused(409, "POST", "/parties", {"name": "again", "code": code})["code"] == "identity.code_taken"


def _terms() -> dict[str, object]:
    from .conftest import TERMS

    return dict(json.loads(json.dumps(TERMS)))
