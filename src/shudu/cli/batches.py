"""Batches, packages and the keys they are signed with: `shudu batches`, `shudu package`, `shudu signing-keys`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from shudu.policy import json_text
from shudu.policy.types import Invalid, Text

from .listing import After, Limit, part, show
from .session import As, Home, Json, Key, session, small, typed

batches = typer.Typer(no_args_is_help=True, help="Batches through the five channels (批次).")
package = typer.Typer(no_args_is_help=True, help="Signed packages for where no line is (离线数据包).")
keys = typer.Typer(no_args_is_help=True, help="Public keys your organisation signs with (登记的密钥).")
HEADER_BYTES = 1 << 20
Mode = Annotated[str, typer.Option("--mode", help="append | replace | upsert")]


@batches.command("accept")
def accept_batch(
    file: Annotated[Path, typer.Argument(help="The batch's file.")],
    header: Annotated[Path, typer.Option("--header", metavar="FILE", help="Its header (JSON).")],
    mode: Mode = "append",
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Take a batch in as a new version of its table. The same batch again changes nothing."""
    with session(home, as_, json) as current:
        from shudu.collect import actions
        from shudu.collect.types import BatchHeader
        from shudu.lake.types import Mode

        told = typed(BatchHeader, **_header(header))
        actor = current.actor(told.submitted_by)
        row = actions.accept_batch(actor, told, _readable(file), _mode(mode, Mode), idempotency_key=key)
        current.show(_batch(row), Text("批次已接收。", "The batch is accepted."))


@batches.command("list")
def list_batches(after: After = None, limit: Limit = 50, home: Home = None, as_: As = None, json: Json = False) -> None:
    """Batches, accepted and refused."""
    with session(home, as_, json) as current:
        from shudu.collect import queries

        found = part(queries.batches(current.actor()), after, limit)
        show(current, "batches", found, limit, _batch, Text("批次", "batches"))


@batches.command("show")
def show_batch(
    batch: Annotated[str, typer.Argument(help="The batch's id.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """A batch with its header; of a refused one, why."""
    with session(home, as_, json) as current:
        from shudu.collect import queries

        current.show(_batch(queries.batch(current.actor(), batch)), Text("批次。", "The batch."))


@package.command("key")
def new_key(
    name: Annotated[str, typer.Argument(help="What the key is called, such as your code; no blanks.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the private key goes.")],
    algorithm: Annotated[str, typer.Option("--algorithm", help="ed25519 | sm2-sm3")] = "ed25519",
    json: Json = False,
) -> None:
    """Make a key to sign packages with; needs no home. Register the line it prints, keep the file to yourself."""
    with session(None, None, json, opened=False) as current:
        from shudu.collect.types import package as packing
        from shudu.ledger.types import signer as signers

        if algorithm not in signers.ADAPTERS:
            raise Invalid("key.algorithm", Text("算法须为 ed25519 或 sm2-sm3。", "It is ed25519 or sm2-sm3."))
        try:
            verifier = packing.new_key(name, algorithm, out)
        except (ValueError, OSError):
            raise Invalid(
                "key.file",
                Text("不能以此名称把密钥写到那里。", "A key of this name cannot be written there."),
                Text("名称不含空格与加号；文件不得已存在。", "No blanks or plus signs; the file must not exist."),
                {"file": out.name},
            ) from None
        current.show({"id": None, "verifier": str(verifier)}, Text("密钥已生成。", "The key is made."))


@package.command()
def make(
    files: Annotated[list[Path], typer.Argument(help="The data files.")],
    header: Annotated[
        list[Path], typer.Option("--header", metavar="FILE", help="The header (JSON) of each file, in their order.")
    ],
    signing_key: Annotated[Path, typer.Option("--signing-key", metavar="FILE", help="The private key's file.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The package to write.")],
    mode: Mode = "append",
    json: Json = False,
) -> None:
    """Pack files with their headers and sign them; needs no home. `bytes` and `sm3` are filled in."""
    with session(None, None, json, opened=False) as current:
        from shudu.collect.types import package as packing
        from shudu.lake.types import Mode

        if len(files) != len(header):
            raise Invalid(
                "package.headers",
                Text("每个文件须有一个批次头。", "Each file needs a header of its own."),
                Text("请按文件的次序重复 --header。", "Repeat --header in the order of the files."),
            )
        told = [(_readable(file), _header(one), _mode(mode, Mode)) for file, one in zip(files, header, strict=True)]
        manifest = typed(lambda: packing.make(told, out, _signer(signing_key)))
        current.show(_manifest(manifest), Text("数据包已写好。", "The package is written."))


@package.command()
def check(
    file: Annotated[Path, typer.Argument(help="The package.")],
    verifier: Annotated[list[str], typer.Option("--key", metavar="VERIFIER", help="The sender's verifier key.")],
    json: Json = False,
) -> None:
    """Check a package's outline, signature and every digest; needs no home."""
    with session(None, None, json, opened=False) as current:
        from shudu.collect.types import package as packing
        from shudu.ledger.types import VerifierKey

        try:
            trusted = [VerifierKey.parse(one.strip()) for one in verifier]
        except ValueError:
            raise Invalid("key.unreadable", Text("这不是验证公钥。", "This is not a verifier key.")) from None
        with packing.opened(file, trusted) as found:
            current.show(_manifest(found.manifest), Text("数据包完好。", "The package is sound."))


@package.command("accept")
def accept_package(
    file: Annotated[Path, typer.Argument(help="The package.")],
    owner: Annotated[str | None, typer.Option("--owner", metavar="ORG", help="Whose it is: id, code or name.")] = None,
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Take a package in: each of its files becomes a batch. Again, it changes nothing."""
    with session(home, as_, json) as current:
        from shudu.collect import actions

        rows = actions.accept_package(current.actor(owner), file, idempotency_key=key)
        current.show(
            {"id": None, "batches": [_batch(row) for row in rows]}, Text("数据包已接收。", "The package is accepted.")
        )


@keys.command("register")
def register_key(
    verifier: Annotated[str, typer.Argument(help="The line `shudu package key` printed.")],
    days: Annotated[int, typer.Option("--days", help="For how long it is valid.")] = 731,
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Register a public key; earlier ones stay valid for their time."""
    with session(home, as_, json) as current:
        from shudu.collect import actions
        from shudu.collect.types import RegisterKey

        request = typed(RegisterKey, verifier=verifier, days=days)
        row = actions.register_key(current.actor(), request, idempotency_key=key)
        current.show(_key(row), Text("密钥已登记。", "The key is registered."))


@keys.command("list")
def list_keys(after: After = None, limit: Limit = 50, home: Home = None, as_: As = None, json: Json = False) -> None:
    """The keys of your organisation."""
    with session(home, as_, json) as current:
        from shudu.collect import queries

        found = part(queries.sender_keys(current.actor()), after, limit)
        show(current, "keys", found, limit, _key, Text("密钥", "keys"))


@keys.command("revoke")
def revoke_key(
    sender_key: Annotated[str, typer.Argument(help="The key's id.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """End a key now, for good."""
    with session(home, as_, json) as current:
        from shudu.collect import actions

        row = actions.revoke_key(current.actor(), sender_key, idempotency_key=key)
        current.show(_key(row), Text("密钥已撤销。", "The key is revoked."))


def _header(file: Path) -> dict[str, Any]:
    try:
        told = json_text.read(small(file, HEADER_BYTES))
    except (OSError, ValueError):
        told = None
    if not isinstance(told, dict):
        raise Invalid(
            "batch.header",
            Text("批次头不是可读的 JSON 对象。", "The header is not a readable JSON object."),
            Text("写法见 docs/collecting.md。", "docs/collecting.md shows how to write it."),
            {"file": file.name},
        )
    return told


def _readable(file: Path) -> Path:
    if not file.is_file():
        raise Invalid(
            "batch.file",
            Text("读不到数据文件。", "The data file cannot be read."),
            Text("请核对路径与权限。", "Check the path and its permissions."),
            {"file": file.name},
        )
    return file


def _mode(text: str, kind: Any) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise Invalid("batch.mode", Text("方式不正确。", "It is append, replace or upsert.")) from None


def _signer(file: Path) -> Any:
    from shudu.ledger.types import signer as signers

    try:
        return signers.load(file)
    except (OSError, ValueError):
        raise Invalid(
            "key.file",
            Text("读不到签名私钥。", "The private key cannot be read."),
            Text("请提供 shudu package key 写出的文件。", "Give the file that `shudu package key` wrote."),
            {"file": file.name},
        ) from None


def _manifest(manifest: Any) -> dict[str, Any]:
    entries = [
        {"file": one.name, "batch_id": one.header.batch_id, "bytes": one.bytes, "sha256": one.sha256, "sm3": one.sm3}
        for one in manifest.entries
    ]
    return {"id": None, "submitted_by": manifest.submitted_by, "entries": entries}


def _batch(row: Any) -> dict[str, Any]:
    from shudu.collect.api import Batch

    told: dict[str, Any] = Batch.of(row).model_dump(mode="json")
    return told


def _key(row: Any) -> dict[str, Any]:
    from shudu.collect.api import SenderKey

    told: dict[str, Any] = SenderKey.of(row).model_dump(mode="json")
    return told
