"""The catalogue: search over titles, an asset with everything known of it, and publishing a model."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from shudu.agreements import queries as agreements
from shudu.agreements.types import onward_from_json, onward_plain_words
from shudu.catalog import actions, queries
from shudu.catalog.types import PublishModel
from shudu.collect import queries as collect
from shudu.identity import queries as identity
from shudu.policy.types import Actor, Invalid, ShuduError, Text
from shudu.runs import queries as runs

from . import words
from .acting import acting, acts, see, told
from .choosing import options
from .errors import status_of
from .forms import again, key_of, new_key, typed
from .judged import judged
from .kept import values
from .paging import newest, stretch
from .profiled import profiled
from .uploading import takes_file, uploaded

SHOWN = 30
FIELDS_SHOWN = 100
RIGHTS = ("hold", "use", "operate")  # in the order they are told
LATE = 5  # of one's own assets that are overdue, named on the home page


def home_list(request: HttpRequest) -> dict[str, Any]:
    """What the words in `?q=` find for whoever is reading, newest first; nothing for who has not signed in."""
    asked = request.GET.get("q", "")[:200].strip()
    actor = acting(request)
    if actor is None:
        return {"q": asked}
    overdue = request.GET.get("overdue") == "1"
    rows = queries.newest(actor, SHOWN + 1, words=asked, overdue=overdue)
    shown = rows[:SHOWN]
    return {
        "q": asked,
        "overdue": overdue,
        "assets": shown,
        "more": len(rows) > SHOWN,
        "total": queries.count(actor),
        "latest": queries.latest_of(row.id for row in shown),
        "names": identity.names(row.owner for row in shown),
        "corrections": list(queries.corrections(actor)[:3]),
    }


def late_list(request: HttpRequest) -> dict[str, Any]:
    """How many of one's own assets are late for their promised update, and those that have been so for longest."""
    actor = acting(request)
    if actor is None:
        return {}
    rows = queries.overdue(actor)
    return {"late": list(rows[:LATE]), "late_total": rows.count()}


@require_safe
def found(request: HttpRequest) -> HttpResponse:
    """The list alone, as one types."""
    return render(request, "part/assets.html", home_list(request))


def kept_reading(actor: Actor, version: queries.Version | None) -> dict[str, Any]:
    """For the part `kept_reading.html`: whether this actor may see how a version's file was read."""
    if version is None or not version.recipe or version.state == version.State.ERASED:
        return {}
    read = queries.may_inspect(actor, version.binding.asset)
    return {"read": read, "wrong_rows": queries.to_correct(version.id) if read else 0}


@require_safe
@acts
def asset(request: HttpRequest, actor: Actor, asset_id: str) -> HttpResponse:
    """Fields, versions, level, origin, offers, lineage."""
    row = queries.asset(actor, asset_id)
    versions = newest(request, queries.versions(row.id), "number", "versions")
    latest, last = queries.latest(row.id), queries.versions(row.id).first()
    sources = runs.made_from(last.id) if last and row.run else ()
    owners = queries.assets_of_versions(one.version for one in sources)
    seen = set(queries.assets(actor).filter(pk__in=[one.id for one in owners.values()]).values_list("pk", flat=True))
    rights = sorted(queries.rights(row.id), key=lambda one: RIGHTS.index(one.kind))
    held = list(agreements.agreements(actor).filter(asset=row.id)[:20])
    parties = {row.owner, *(one.party for one in rights), *(one.assignee for one in held)}
    came = collect.origins(one.id for one in versions.rows)
    parties |= {batch.owner for batch in came.values()}
    observed = latest.observations if latest else {}
    own = row.owner == actor.party
    feed = collect.feed_of(actor, row.id) if own else None
    return render(
        request,
        "asset.html",
        {
            "asset": row,
            "own": own,
            "feed": feed,
            "standing": collect.standing(feed) if feed else None,
            "cycles": options(words.CYCLES),
            "key": new_key(),
            "versions": versions,
            "corrections": queries.waiting(actor, row.id),
            "batches": came,
            "judged": judged(row),
            "profile": profiled(actor, latest),
            **kept_reading(actor, latest),
            "latest": latest,
            "fields": stretch(request, latest.columns if latest else [], "fields", FIELDS_SHOWN),
            "binding": last.binding if last else None,
            "suggested": observed.get("level"),
            "sources": [(one, owners.get(one.version)) for one in sources],
            "seen": seen,
            "offers": newest(request, agreements.offers_of(actor, row.id), name="offers"),
            "agreements": held,
            "rights": rights,
            "names": identity.names(parties),
            "onward": onward_plain_words(onward_from_json(row.terms)) if row.terms else [],
        },
    )


def _card(said: str) -> dict[str, Any] | None:
    """The model card as it was pasted; the kind of model checks what it says."""
    if not said.strip():
        return None
    try:
        card = json.loads(said)
    except (RecursionError, ValueError):
        card = None
    if not isinstance(card, dict):
        raise Invalid(
            "card.not_json",
            Text("模型说明不是 JSON 对象。", "The model card is not a JSON object."),
            Text("请检查括号、引号与逗号。", "Check brackets, quotes and commas."),
        )
    return card


@takes_file
@require_http_methods(["GET", "HEAD", "POST"])
@acts
def publish_model(request: HttpRequest, actor: Actor) -> HttpResponse:
    """A model becomes an asset; it is stored encrypted and only ever opened for the clean room."""
    form: dict[str, Any] = {"values": values(request)}
    if request.method != "POST":
        return render(request, "publish_model.html", form | {"key": new_key()})
    try:
        file = uploaded(request)
        inputs = request.POST.get("inputs", "").replace("，", ",").replace("、", ",").split(",")
        order = typed(
            PublishModel,
            source=file.path,
            sha256=file.sha256,
            title=request.POST.get("title") or None,
            title_en=request.POST.get("title_en") or None,
            inputs=tuple(name.strip() for name in inputs if name.strip()),
            card=_card(request.POST.get("card", "")),
        )
        row = actions.publish_model(actor, order, idempotency_key=key_of(request))
    except ShuduError as error:
        return render(request, "publish_model.html", form | again(error), status=status_of(error))
    told(request, Text("模型已发布。", "The model is published."))
    return see("asset", row.id)
