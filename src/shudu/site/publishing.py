"""Publishing a file: it is kept, shown as it was understood, corrected, and published by exactly that reading."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from shudu.catalog import actions
from shudu.catalog import queries as catalog
from shudu.catalog.types import PublishTable, PublishVersion
from shudu.collect import actions as collecting
from shudu.collect import queries as collect
from shudu.collect.types import Draft
from shudu.lake.types import Reading, Understood
from shudu.policy.types import Actor, Conflict, Invalid, ShuduError, Text, not_found

from . import rereading
from .acting import acts, see, told
from .choosing import options, table_options
from .errors import status_of
from .forms import again, key_of, new_key, typed, wrong
from .kept import values
from .language import is_chinese
from .telling import told as telling
from .uploading import kept, takes_file, uploaded

# What is said of a table, as it is typed; kept with the upload until it is published.
FIELDS = ("title", "title_en", "abstract", "entity_key", "level", "origin", "mode", "expected")
WAYS = {
    "append": Text("追加：新行加在原有的行之后", "Append: new rows beside the old ones"),
    "upsert": Text("按主键更新：同一主键的行换成新的", "Update by key: rows with the same key are replaced"),
    "replace": Text("整体替换：只留新文件的行", "Replace: only the new file's rows stay"),
}
UNSEEN = Text(
    "读法改过了，还没有发布。下面是按新读法读到的，请看一遍再发布。",
    "The reading was changed, so nothing is published yet. Below is what it gives: look at it, then publish.",
)


@dataclass(frozen=True, slots=True)
class Looked:
    """What was understood of a file and by which reading; `stops` is the fault at which a strict one would stop."""

    used: Reading
    found: Understood | None = None
    error: ShuduError | None = None
    stops: ShuduError | None = None


def choices() -> dict[str, Any]:
    """What the forms about a table offer."""

    return {**table_options(), "modes": options(WAYS)}


@takes_file
@require_http_methods(["GET", "HEAD", "POST"])
@acts
def publish(request: HttpRequest, actor: Actor) -> HttpResponse:
    """A file becomes a table, at once, or after its owner has seen and corrected what was understood of it."""
    form: dict[str, Any] = {"values": values(request), "begun": collect.begun(actor), **choices()}
    if request.method != "POST":
        return render(request, "publish.html", form | {"key": new_key()})
    try:
        if request.POST.get("do") == "look":
            row = kept(request, actor)
            collecting.note_upload(actor, row.id, _typed_so_far(request, Draft()))
            return see("publish_upload", row.id)
        file = uploaded(request)
        with telling(request, actor):
            order = typed(PublishTable, source=file.path, sha256=file.sha256, **_of_table(request.POST))
            made = actions.publish(actor, order, idempotency_key=key_of(request))
    except ShuduError as error:
        return render(request, "publish.html", form | again(error), status=status_of(error))
    told(request, _published(made.id, Text("数据资源已发布。", "The table is published.")))
    return see("asset", made.id)


@require_http_methods(["GET", "HEAD", "POST"])
@acts
def read(request: HttpRequest, actor: Actor, upload_id: str, asset_id: str = "") -> HttpResponse:
    """A kept file: what was understood of it, to correct, to read again, and to publish or to give up."""
    asset = catalog.updatable(actor, asset_id) if asset_id else None
    row = collect.upload(actor, upload_id)
    draft = collect.draft_of(row)
    if draft.asset != asset_id:
        raise not_found("上传", "upload", upload_id)
    if draft.made:  # somebody went back to a page whose work is done
        return see("asset", draft.made)
    verb = request.POST.get("do", "look")
    if request.method == "POST" and verb == "drop":
        collecting.remove_upload(actor, row.id)
        told(request, Text("这次上传已放弃，文件已删除。", "The upload was given up and its file removed."))
        return see("asset_update", asset_id) if asset else see("publish")
    if request.method != "POST":
        return _page(request, actor, row, draft, asset)
    try:
        draft = _typed_so_far(request, draft)
        draft = draft.model_copy(update={"reading": Reading() if verb == "anew" else _reading(request, asset)})
        seen = rereading.digest(draft.reading) == request.POST.get("seen")
        if verb == "publish" and seen:
            made, said = _publish(request, actor, row, draft)
            told(request, said)
            return see("asset", made)
        collecting.note_upload(actor, row.id, draft)
    except ShuduError as error:
        return _page(request, actor, row, draft, asset, error)
    if verb == "publish":
        messages.warning(request, UNSEEN.zh if is_chinese() else UNSEEN.en)
    return see("asset_update_upload", asset_id, row.id) if asset else see("publish_upload", row.id)


def _publish(request: HttpRequest, actor: Actor, row: collect.Upload, draft: Draft) -> tuple[str, Text]:
    """Publish the upload by the reading that was shown. An upload is published once, however often one presses."""
    key = f"upload {row.id}"
    with collect.source_of(row) as source, telling(request, actor):
        if draft.asset:
            order = typed(
                PublishVersion,
                asset=draft.asset,
                source=source,
                sha256=row.sha256,
                mode=draft.fields.get("mode", "append"),
                expected=draft.fields.get("expected") or None,
                reading=draft.reading,
            )
            actions.publish_version(actor, order, idempotency_key=key)
            made, said = draft.asset, Text("新版本已发布。", "The new version is published.")
        else:
            table = typed(
                PublishTable, source=source, sha256=row.sha256, reading=draft.reading, **_of_table(draft.fields)
            )
            made = actions.publish(actor, table, idempotency_key=key).id
            said = Text("数据资源已发布。", "The table is published.")
    with suppress(Conflict):  # whoever pressed twice has done this already
        collecting.note_upload(actor, row.id, Draft(asset=draft.asset, made=made))
        collecting.remove_upload(actor, row.id)
    return made, _published(made, said)


def _published(asset_id: str, said: Text) -> Text:
    version = catalog.latest(asset_id)
    wrong_rows = catalog.to_correct(version.id) if version else 0
    if not wrong_rows:
        return said
    return Text(
        f"{said.zh}{wrong_rows:,} 行没有收入，原因见“待更正的行”。",
        f"{said.en} {wrong_rows:,} rows were not taken; “Rows to correct” says why.",
    )


def _page(
    request: HttpRequest,
    actor: Actor,
    row: collect.Upload,
    draft: Draft,
    asset: catalog.Asset | None,
    error: ShuduError | None = None,
) -> HttpResponse:
    saved = collect.draft_of(row)  # what is shown was understood by this, whatever was wrong with what was just sent
    looked = _look(actor, row, saved, asset)
    form = rereading.filled(looked.used, looked.found)
    seen = rereading.digest(rereading.reading(form))
    sent = values(request)
    stated = {**form, **draft.fields, **{name: sent.get(name, "") for name in sent}}
    notes = looked.found.notes if looked.found else ()
    asked = looked.error if looked.error and looked.error.code == "publish.choose" else None
    others = list(asked.where.get("choices", ())) if asked else []
    of_files = asked is not None and asked.where.get("of") == "file"
    files = others if of_files else rereading.choices(notes, "zip.member")
    sheets = [] if of_files else others
    tables = sheets or rereading.choices(notes, "workbook.sheet") or rereading.choices(notes, "database.table")
    wrongly = error or looked.error or _no_such_key(looked, stated)
    columns = rereading.rows(looked.used, looked.found)
    stopping, passed_over = rereading.faults(looked.found) if looked.found else ([], [])
    context: dict[str, Any] = {
        "upload": row,
        "asset": asset,
        "looked": looked,
        "found": looked.found,
        "values": stated,
        "seen": seen,
        "columns": [
            replace(
                one,
                name=stated.get(f"name-{one.number}", one.name),
                unit=stated.get(f"unit-{one.number}", one.unit),
                spelled=stated.get(f"type-{one.number}", one.spelled),
                nulls=stated.get(f"nulls-{one.number}", one.nulls),
            )
            for one in columns
        ],
        "most_columns": rereading.MOST_COLUMNS,
        "keys": [("", "—"), *((one.name, one.name) for one in (looked.found.recipe.columns if looked.found else ()))],
        "doubts": rereading.doubts(looked.found) if looked.found else [],
        "notes": [note for note in notes if note.code not in rereading.DOUBTS],
        "stopping": stopping,
        "passed_over": passed_over,
        "here": request.path,
        "leave": rereading.LEAVE,
        "keep_totals": rereading.TOTALS,
        "typed": [name for name in FIELDS if not asset],
        **rereading.options(is_chinese(), looked.found, files, tables, asked is not None),
        **choices(),
        "key": new_key(),
        "error": _said_here(wrongly) if wrongly else None,
    }
    return render(request, "publish_upload.html", context, status=status_of(error) if error else 200)


def _look(actor: Actor, row: collect.Upload, draft: Draft, asset: catalog.Asset | None) -> Looked:
    """Read the file as the draft says; where a strict reading stops at a row, also what a tolerant one would give."""

    def attempt(told: Reading) -> tuple[Understood, Reading]:
        with collect.source_of(row) as source:
            if asset is not None:
                return catalog.understood_next(actor, asset.id, source, told)
            return catalog.understood(actor, source, told, draft.fields.get("entity_key") or None), told

    try:
        found, used = attempt(draft.reading)
        return Looked(used, found)
    except Invalid as stopped:
        stops = stopped
    if draft.reading.tolerant:
        return Looked(draft.reading, error=stops)
    try:
        found, used = attempt(draft.reading.model_copy(update={"tolerant": True}))
    except Invalid:
        return Looked(draft.reading, error=stops)
    return Looked(used.model_copy(update={"tolerant": False}), found, stops=stops)


def _typed_so_far(request: HttpRequest, draft: Draft) -> Draft:
    fields = {name: request.POST[name][:4_000] for name in FIELDS if request.POST.get(name)}
    return typed(Draft, **{**dict(draft), "fields": fields})


def _reading(request: HttpRequest, asset: catalog.Asset | None) -> Reading:
    form = {name: str(request.POST.get(name, "")) for name in request.POST}
    told = rereading.reading(rereading.pressed(form, form["as"]) if form.get("as") else form)
    if asset is None or told.recipe.columns or told.recipe.empty:
        return told
    # Laid out in another way, the columns of the next version are still those of the table.
    columns = catalog.kept_recipe(asset.id).columns
    return told.model_copy(update={"recipe": told.recipe.model_copy(update={"columns": columns})})


def _of_table(form: Mapping[str, str]) -> dict[str, Any]:
    return {
        "title": form.get("title", ""),
        "title_en": form.get("title_en") or None,
        "key": form.get("entity_key", "").strip() or None,
        "level": form.get("level", "L2"),
        "origin": form.get("origin", "unstated"),
        "core": {"abstract": {"zh": form["abstract"]}} if form.get("abstract") else {},
    }


def _no_such_key(looked: Looked, stated: Mapping[str, str]) -> Invalid | None:
    key = stated.get("entity_key", "")
    if not key or looked.found is None or key in [one.name for one in looked.found.recipe.columns]:
        return None
    return wrong(
        "entity_key",
        f"表头中没有名为“{key}”的列，请在“主体键列”里另选。",
        f"The header has no column “{key}”: choose the entity key column anew.",
    )


def _said_here(error: ShuduError) -> ShuduError:
    """Which of several tables is meant is chosen in this form, not on a command line."""
    if error.code != "publish.choose":
        return error
    remedy = Text("请在下面选定，再按“按此重读”。", "Choose it below, then press “Read it again”.")
    return Invalid(error.code, error.message, remedy, error.where)
