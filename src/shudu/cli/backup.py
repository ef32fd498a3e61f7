"""`shudu backup` and `shudu restore`: saving the home while it works, and coming back from a lost one."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shudu.policy.types import Conflict, Invalid, Text

from .session import As, Home, Json, session

if TYPE_CHECKING:
    from shudu.ledger.types import VerifierKey


def backup(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="A new name: X.tar makes one file, else a folder.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """Write a backup of the home, whole or not at all, while everybody goes on working. Keys are no part of it."""
    with session(home, as_, json) as current:
        from shudu.security import actions

        taken = actions.take(current.actor(), target)
        sentence = Text("备份已写出。", "The backup is written.")
        if taken.damaged:
            sentence = Text(
                "备份已写出，但有文件与其记录不符：主目录已有损坏，请检查磁盘。",
                "The backup is written, but files in it are not what was stored: the home is damaged, check the disk.",
            )
        elif not taken.signed:
            sentence = Text(
                "备份已写出，但读不到账本密钥，清单没有签名。",
                "The backup is written, but unsigned: the ledger's key cannot be read.",
            )
        current.show({"id": taken.manifest_sha256, "backup": str(target), **_rest(taken)}, sentence)
    if taken.damaged:
        raise typer.Exit(1)


def restore(
    source: Annotated[Path, typer.Argument(metavar="BACKUP", help="What `shudu backup` wrote.")],
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The old log's last checkpoint held elsewhere (default: the backup's own)."),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(metavar="KEYFILE", help="The old log's verifier key, when the keys folder is lost as well."),
    ] = None,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="Trust the digests alone, without anybody's signature.")
    ] = False,
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """Make a new home of a backup: every digest is checked first, and its log pins the last checkpoint held.

    What was erased since the backup is erased again, as far as the keys folder knows of it.
    """
    with session(home, as_, json, opened=False) as current:
        from shudu.config.options import load
        from shudu.ledger.types import verifier_keys
        from shudu.security.types import archive

        options = load(home)
        kept = _text(checkpoint) if checkpoint else ""
        trusted = [*verifier_keys(options.keys), *([_key(key)] if key else [])]
        with archive.unpacked(source, options.home, trusted, unsigned=unsigned) as (staged, manifest):
            told = load(staged).keys
            if told not in (options.keys, Path(f"{staged}.keys")):
                raise Conflict(
                    "restore.keys",
                    Text(
                        f"备份中的 shudu.toml 指定了另一个密钥目录：{told}。",
                        f"The backup's shudu.toml names another folder of keys: {told}.",
                    ),
                    Text(f"请设置 SHUDU_KEYS={told} 后再试。", f"Set SHUDU_KEYS={told} and try again."),
                )
            os.environ["SHUDU_KEYS"] = str(options.keys)
            done = _reopen(staged, manifest, kept)
        current.show(
            {"id": done["origin"], "home": str(options.home), "files": len(manifest.files), **done},
            Text("主目录已恢复。", "The home is restored.")
            if not done["findings"]
            else Text("主目录已恢复，但其中的旧账本有出入！", "The home is restored, but the old log in it differs!"),
        )
    if done["findings"]:
        raise typer.Exit(1)


def _reopen(staged: Path, manifest: Any, kept: str) -> dict[str, Any]:
    from .house import open_home

    open_home(staged)
    from django.conf import settings
    from django.db import connections

    from shudu.security import actions

    if staged != settings.HOME:
        raise RuntimeError("this process has opened another home already")
    try:
        return asdict(actions.reopen(manifest, kept))
    finally:
        connections.close_all()  # the last one to leave folds the journal into the database


def _rest(taken: Any) -> dict[str, Any]:
    return {name: value for name, value in asdict(taken).items() if name != "manifest_sha256"}


def _key(file: Path) -> VerifierKey:
    from shudu.ledger.types import VerifierKey

    try:
        return VerifierKey.parse(_text(file).strip())
    except ValueError:
        raise Invalid(
            "receipt.key",
            Text("验证公钥无法读取。", "The verifier key cannot be read."),
            Text("请使用“shudu ledger key”输出的那一行。", "Use the line that “shudu ledger key” prints."),
            {"file": file.name},
        ) from None


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise Invalid(
            "file.unreadable",
            Text(f"文件“{file.name}”无法读取。", f"The file “{file.name}” cannot be read."),
            Text("请核对路径与权限。", "Check its path and permissions."),
        ) from None
