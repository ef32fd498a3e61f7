"""A new version of a table, from a file."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from shudu.catalog import actions, queries
from shudu.catalog.types import PublishVersion
from shudu.policy.types import Actor, ShuduError, Text

from .acting import acts, see, told
from .errors import status_of
from .forms import again, key_of, new_key, typed
from .kept import values
from .language import is_chinese
from .uploading import takes_file, uploaded

_WAYS = {
    "append": Text("追加：新行加在原有的行之后", "Append: new rows beside the old ones"),
    "upsert": Text("按主键更新：同一主键的行换成新的", "Update by key: rows with the same key are replaced"),
    "replace": Text("整体替换：只留新文件的行", "Replace: only the new file's rows stay"),
}


@takes_file
@require_http_methods(["GET", "HEAD", "POST"])
@acts
def update(request: HttpRequest, actor: Actor, asset_id: str) -> HttpResponse:
    """A file becomes the next version of a table, read as the version before was."""
    asset = queries.updatable(actor, asset_id)
    latest = queries.latest(asset.id)
    language = "zh" if is_chinese() else "en"
    form: dict[str, Any] = {
        "asset": asset,
        "latest": latest,
        "values": values(request),
        "modes": [(mode, text.say(language)) for mode, text in _WAYS.items()],
    }
    if request.method != "POST":
        return render(request, "asset_update.html", form | {"key": new_key()})
    try:
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
        actions.publish_version(actor, order, idempotency_key=key_of(request))
    except ShuduError as error:
        return render(request, "asset_update.html", form | again(error), status=status_of(error))
    told(request, Text("新版本已发布。", "The new version is published."))
    return see("asset", asset.id)
