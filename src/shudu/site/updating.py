"""Versions of a table: a new one from a file, what one changed of another, and an old one published again."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from shudu.catalog import actions, queries
from shudu.catalog.types import PublishVersion, UpdateCycle
from shudu.collect import actions as collect
from shudu.collect.types import Draft
from shudu.policy.types import Actor, Conflict, ShuduError, Text, not_found

from .acting import acts, see, told
from .catalogue import kept_reading
from .errors import status_of
from .forms import again, key_of, new_key, typed
from .kept import values
from .publishing import choices
from .telling import told as telling
from .uploading import kept, takes_file, uploaded

SHOWN = 20


@takes_file
@require_http_methods(["GET", "HEAD", "POST"])
@acts
def update(request: HttpRequest, actor: Actor, asset_id: str) -> HttpResponse:
    """A file becomes the next version of a table, read as the version before was."""
    asset = queries.updatable(actor, asset_id)
    form: dict[str, Any] = {
        "asset": asset,
        "latest": queries.latest(asset.id),
        "values": values(request),
        **choices(),
    }
    if request.method != "POST":
        return render(request, "asset_update.html", form | {"key": new_key()})
    try:
        if request.POST.get("do") == "look":
            row = kept(request, actor)
            fields = {name: request.POST.get(name, "")[:200] for name in ("mode", "expected")}
            collect.note_upload(actor, row.id, Draft(asset=asset.id, fields=fields))
            return see("asset_update_upload", asset.id, row.id)
        file = uploaded(request)
        order = typed(
            PublishVersion,
            asset=asset.id,
            source=file.path,
            sha256=file.sha256,
            mode=request.POST.get("mode", "append"),
            # What the person saw is what the new rows are meant to follow.
            expected=request.POST.get("expected") or None,
        )
        with telling(request, actor):
            actions.publish_version(actor, order, idempotency_key=key_of(request))
    except ShuduError as error:
        return render(request, "asset_update.html", form | again(error), status=status_of(error))
    told(request, Text("新版本已发布。", "The new version is published."))
    return see("asset", asset.id)


@require_POST
@acts
def promise(request: HttpRequest, actor: Actor, asset_id: str) -> HttpResponse:
    """Another update cycle is promised; whether the table is late counts anew."""
    asset = queries.updatable(actor, asset_id)
    said = typed(UpdateCycle, update_cycle=request.POST.get("update_cycle", ""))
    actions.promise(actor, asset.id, said, idempotency_key=key_of(request))
    told(request, Text("更新周期已更改。", "The update cycle is changed."))
    return see("asset", asset.id)


@require_safe
@acts
def changes(request: HttpRequest, actor: Actor, asset_id: str) -> HttpResponse:
    """What a version (`?version=`) changed of the one before it: columns, and rows for who may read them."""
    asset = queries.asset(actor, asset_id)
    number = request.GET.get("version", "")
    row = queries.version(actor, number[:64])
    if row.binding.asset_id != asset.id:
        raise not_found("版本", "version", number[:64])
    latest = queries.latest(asset.id)
    context = {"asset": asset, "version": row, "own": asset.owner == actor.party, "key": new_key()}
    context |= {"newest": latest is not None and latest.id == row.id}  # there is nothing to restore
    context |= kept_reading(actor, row)
    if row.number == 1:  # the first changed nothing
        return render(request, "changes.html", context)
    try:
        found = queries.difference(actor, row.id, limit=SHOWN)
    except Conflict as error:
        return render(request, "changes.html", context | {"error": error}, status=status_of(error))
    before = queries.version_row(found.old)
    return render(request, "changes.html", context | {"found": found, "before": before})


@require_POST
@acts
def restore(request: HttpRequest, actor: Actor, asset_id: str) -> HttpResponse:
    """An old version becomes the newest."""
    asset = queries.updatable(actor, asset_id)
    row = queries.version(actor, request.POST.get("version", ""))
    if row.binding.asset_id != asset.id:
        raise not_found("版本", "version", row.id)
    actions.restore(actor, row.id, idempotency_key=key_of(request))
    told(request, Text("版本已恢复。", "The version is restored."))
    return see("asset", asset.id)
