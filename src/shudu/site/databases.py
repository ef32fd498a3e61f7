"""Databases and what is kept current from them: a party's sources, their tables, feeds and how their refreshes went.

No page connects to a database. What is asked here the worker does; a page says how far it is, and asks again.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from shudu.catalog import queries as catalog
from shudu.collect import actions, queries
from shudu.collect.types import AddSource, OpenFeed, Survey
from shudu.identity import queries as identity
from shudu.policy.types import Actor, ShuduError, Text
from shudu.runs import queries as runs

from . import words
from .acting import acts, see, told
from .choosing import interval, options, table_options
from .errors import status_of
from .forms import again, key_of, new_key, typed, whole, wrong
from .kept import values
from .paging import newest

SHOWN = 100  # tables of a source on one page; more are found by their name
LOOKED_FOR = 200  # characters
EVERY = (0, 60, 360, 1_440, 10_080, 43_200)  # minutes between two refreshes that the form offers


@require_safe
@acts
def sources(request: HttpRequest, actor: Actor) -> HttpResponse:
    """One's databases, and the feeds one may see with how each stands."""
    feeds = newest(request, queries.feeds(actor), name="feeds")
    context = {
        "page": newest(request, queries.sources(actor)),
        "feeds": feeds,
        "standings": queries.standings(feeds.rows),
        "titles": catalog.titles(row.asset for row in feeds.rows if row.asset),
        "names": identity.names(row.owner for row in feeds.rows),
        "party": actor.party,
    }
    return render(request, "sources.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@acts
def add(request: HttpRequest, actor: Actor) -> HttpResponse:
    """A database with its password, which no page ever shows again."""
    form: dict[str, Any] = {
        "values": values(request),
        "kinds": options(words.DATABASES),
        "ways": options(words.TLS),
    }
    if request.method != "POST":
        return render(request, "source_new.html", form | {"key": new_key()})
    sent = request.POST
    try:
        order = typed(
            AddSource,
            name=sent.get("name", ""),
            kind=sent.get("kind", ""),
            host=sent.get("host", "").strip(),
            port=whole(sent["port"], "port") if sent.get("port", "").strip() else None,
            database=sent.get("database", ""),
            user=sent.get("user", ""),
            password=sent.get("password", ""),
            tls=sent.get("tls", "verify"),
        )
        row = actions.add_source(actor, order, idempotency_key=key_of(request))
    except ShuduError as error:
        return render(request, "source_new.html", form | again(error), status=status_of(error))
    told(request, Text("来源库已登记。接下来查看它有哪些表。", "The source is added. See next which tables it has."))
    return see("source", row.id)


@require_safe
@acts
def source(request: HttpRequest, actor: Actor, source_id: str) -> HttpResponse:
    return _source(request, actor, source_id)


def _source(request: HttpRequest, actor: Actor, source_id: str, error: ShuduError | None = None) -> HttpResponse:
    row = queries.source(actor, source_id)
    feeds = newest(request, queries.feeds(actor).filter(source=row.id), name="feeds")
    context = {
        **_tables(request, row),
        "feeds": feeds,
        "standings": queries.standings(feeds.rows),
        "titles": catalog.titles(one.asset for one in feeds.rows if one.asset),
        **(again(error) if error else {"key": new_key()}),
    }
    return render(request, "source.html", context, status=status_of(error) if error else 200)


def _tables(request: HttpRequest, row: queries.Source) -> dict[str, Any]:
    """The tables of a source as last found: those whose name holds `?find=`, as many as a page bears."""
    looked = queries.surveyed(row)
    find = request.GET.get("find", "")[:LOOKED_FOR].strip()
    named = [one for one in looked.found or [] if find.casefold() in one["name"].casefold()]
    return {
        "source": row,
        "looked": looked,
        "find": find,
        "tables": named[:SHOWN],
        "matching": len(named),
        "cut": len(named) > SHOWN,
        "key": new_key(),
    }


@require_safe
@acts
def contents(request: HttpRequest, actor: Actor, source_id: str) -> HttpResponse:
    """The live part of two pages: a source's tables, or with `?table=` the form that its columns are chosen in."""
    row = queries.source(actor, source_id)
    if table := _asked_table(request):
        return render(request, "part/feed_form.html", _form(request, row, table) | {"key": new_key()})
    return render(request, "part/contents.html", _tables(request, row))


@require_POST
@acts
def survey(request: HttpRequest, actor: Actor, source_id: str) -> HttpResponse:
    """Have the worker look which tables there are, or which columns one has."""
    row = queries.source(actor, source_id)
    table = request.POST.get("table", "")
    try:
        actions.survey(actor, row.id, typed(Survey, table=table or None), idempotency_key=key_of(request))
    except ShuduError as error:
        return _source(request, actor, source_id, error)
    response = see("feed_new" if table else "source", row.id)
    if table:
        response["Location"] += "?" + urlencode({"table": table})
    return response


@require_POST
@acts
def close_source(request: HttpRequest, actor: Actor, source_id: str) -> HttpResponse:
    """Its password is destroyed; what was published from it stays."""
    row = queries.source(actor, source_id)
    try:
        actions.close_source(actor, row.id, idempotency_key=key_of(request))
    except ShuduError as error:
        return _source(request, actor, source_id, error)
    told(request, Text("来源库已停用，密码已销毁。", "The source is closed and its password destroyed."))
    return see("sources")


def _asked_table(request: HttpRequest) -> str:
    return (request.POST if request.method == "POST" else request.GET).get("table", "")[:LOOKED_FOR]


def _form(request: HttpRequest, row: queries.Source, table: str) -> dict[str, Any]:
    looked = queries.surveyed(row, table)
    names = [one["name"] for one in looked.found or []]
    none = [("", "—")]
    return {
        "source": row,
        "table": table,
        "looked": looked,
        "columns": [(name, name) for name in names],
        "declared": looked.found or [],
        "keys": none + [(name, name) for name in names],
        "watermarks": none + [(one["name"], one["name"]) for one in looked.found or [] if one["watermark"]],
        "modes": options(words.FEED_MODES),
        "every": [(str(minutes), interval(minutes)) for minutes in EVERY],
        "cycles": options(words.CYCLES),
        "values": values(request),
        **table_options(),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@acts
def open_feed(request: HttpRequest, actor: Actor, source_id: str) -> HttpResponse:
    """A table of a source becomes an asset and is kept current by a rule; the worker reads it."""
    row = queries.source(actor, source_id)
    if not (table := _asked_table(request)):
        return see("source", row.id)
    form = _form(request, row, table)
    if request.method != "POST":
        return render(request, "feed_new.html", form | {"key": new_key()})
    try:
        made = actions.open_feed(actor, _ordered(request, row), idempotency_key=key_of(request))
    except ShuduError as error:
        return render(request, "feed_new.html", form | again(error), status=status_of(error))
    told(request, Text("供数已设立，正在读取来源表。", "The feed is open; its table is being read."))
    return see("feed", made.id)


def _ordered(request: HttpRequest, row: queries.Source) -> OpenFeed:
    sent = request.POST
    mode, entity_key, watermark = sent.get("mode", "replace"), sent.get("entity_key", ""), sent.get("watermark", "")
    if mode == "upsert" and not entity_key:
        raise wrong("entity_key", "按主键更新须指明主键列。", "Updating by key takes a key column.")
    if mode == "append" and not watermark:
        raise wrong("watermark", "追加须指明增量标记列。", "Appending takes a watermark column.")
    if mode == "replace" and watermark:
        raise wrong("watermark", "整表替换不用增量标记。", "Replacing the whole table takes no watermark.")
    core: dict[str, Any] = {"update_cycle": sent.get("update_cycle", "9")}
    if abstract := sent.get("abstract", ""):
        core["abstract"] = {"zh": abstract}
    return typed(
        OpenFeed,
        source=row.id,
        table=sent.get("table", ""),
        columns=tuple(sent.getlist("columns")),
        rule={
            "mode": mode,
            "watermark": watermark or None,
            "every_minutes": whole(sent.get("every", "0"), "every"),
        },
        title=sent.get("title", ""),
        title_en=sent.get("title_en") or None,
        key=entity_key or None,
        level=sent.get("level", "L2"),
        origin=sent.get("origin", "unstated"),
        core=core,
    )


@require_safe
@acts
def feed(request: HttpRequest, actor: Actor, feed_id: str) -> HttpResponse:
    return _feed(request, actor, feed_id)


def _feed(request: HttpRequest, actor: Actor, feed_id: str, error: ShuduError | None = None) -> HttpResponse:
    context = _standing(request, actor, feed_id) | (again(error) if error else {})
    return render(request, "feed.html", context, status=status_of(error) if error else 200)


@require_safe
@acts
def progress(request: HttpRequest, actor: Actor, feed_id: str) -> HttpResponse:
    """The live part of a feed's page, asked for again while a refresh goes on."""
    return render(request, "part/feed.html", _standing(request, actor, feed_id))


def _standing(request: HttpRequest, actor: Actor, feed_id: str) -> dict[str, Any]:
    # A refresh may end between two reads. Whether it goes on is read first: of one that has ended all is shown, and one
    # that ends meanwhile is asked about again. The feed is read last: a version made has its asset there.
    row = queries.feed(actor, feed_id)
    standing = queries.standing(row)
    page = newest(request, queries.refreshes(row), name="runs", limit=20)
    made = runs.versions_made(run.id for run in page.rows)
    row = queries.feed(actor, feed_id)
    numbers = catalog.numbers(made.values())
    return {
        "feed": row,
        "own": row.owner == actor.party,
        "standing": standing,
        "going": standing["state"] == "queued",
        "page": page,
        "made": {run: (version, numbers.get(version)) for run, version in made.items()},
        "title": catalog.titles([row.asset]).get(row.asset) if row.asset else row.fields.get("title", ""),
        "names": identity.names([row.owner]),
        "every": interval(row.rule["every_minutes"]),
        "key": new_key(),
    }


@require_POST
@acts
def change_feed(request: HttpRequest, actor: Actor, feed_id: str, verb: str) -> HttpResponse:
    """Refresh now, or refresh no more."""
    row = queries.feed(actor, feed_id)
    try:
        if verb == "refresh":
            actions.refresh(actor, row.id, idempotency_key=key_of(request))
        else:
            actions.close_feed(actor, row.id, idempotency_key=key_of(request))
            told(request, Text("供数已停止；数据资源和各版本都还在。", "The feed is closed; its asset stays."))
    except ShuduError as error:
        return _feed(request, actor, feed_id, error)
    return see("feed", row.id)
