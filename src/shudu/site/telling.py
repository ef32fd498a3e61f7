"""How far a page's long piece of work has come, told to the person who waits for it.

The words lie in a file of the home under the digest of who asked and of the form's key, so that whichever process is
asked can say them. They are nothing but words and counts, and go when the work ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from shudu.lake import queries as lake
from shudu.policy.types import Actor, Text

from .acting import acts
from .forms import key_of
from .language import is_chinese

EVERY = 0.3  # seconds between two sayings
STALE = 3_600.0  # seconds after which what a killed process said is removed
BEGUN = Text("文件已收到，正在打开", "the file has arrived; opening it")
SENT = Text("正在接收文件", "receiving the file")


@contextmanager
def told(request: HttpRequest, actor: Actor) -> Iterator[None]:
    """Within the block, what the lake does is told to whoever asks with the key of this form."""
    place = _place(actor, key_of(request))
    last = 0.0

    def say(words: Text) -> None:
        nonlocal last
        if (now := time.monotonic()) - last < EVERY:
            return
        last = now
        # Nobody's work fails because it cannot be told about.
        with suppress(OSError):
            part = place.with_suffix(".part")
            part.write_text(json.dumps([words.zh, words.en], ensure_ascii=False), "utf-8")
            os.replace(part, place)

    with suppress(OSError):
        place.parent.mkdir(mode=0o700, exist_ok=True)
        _sweep(place.parent)
    say(BEGUN)
    try:
        with lake.reported_to(say):
            yield
    finally:
        with suppress(OSError):
            place.unlink(missing_ok=True)


@require_safe
@acts
def progress(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The words of the work begun with the form key `?key=`; of what has not begun, that its file is on its way."""
    words = SENT
    with suppress(OSError, ValueError):
        zh, en = json.loads(_place(actor, request.GET.get("key", "")[:64]).read_text("utf-8"))
        words = Text(zh, en)
    said = words.zh if is_chinese() else words.en
    return HttpResponse(said, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


def _place(actor: Actor, key: str) -> Path:
    name = hashlib.sha256(f"{actor.party} {actor.person} {key}".encode()).hexdigest()
    return Path(settings.HOME) / "told" / name


def _sweep(folder: Path) -> None:
    for left in folder.iterdir():
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE:
                left.unlink()
