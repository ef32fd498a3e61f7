"""The home's own keys: `shudu keys`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from shudu.policy.types import Text

from .session import As, Home, Json, session

app = typer.Typer(no_args_is_help=True, help="The home's own keys (密钥).")


class Which(StrEnum):
    LEDGER = "ledger"
    DATA = "data"


@app.command("list")
def list_keys(home: Home = None, as_: As = None, json: Json = False) -> None:
    """The ledger's verifier keys and the ids of the key-encryption keys; never a secret."""
    with session(home, as_, json) as current:
        from shudu.lake import queries as lake
        from shudu.ledger import queries as ledger

        keys: list[dict[str, Any]] = [
            {"key": str(key), "algorithm": key.algorithm, "signs": signs} for key, signs in ledger.signing_keys()
        ]
        current.show({"id": None, "ledger": keys, "data": lake.keyring().known()}, Text("密钥。", "The keys."))


@app.command("rotate")
def rotate(
    which: Annotated[Which, typer.Argument(help="The ledger's signing key, or the key-encryption key of stored data.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """Let a new key take over; the ledger records it. What was signed or stored before stays good.

    A new key of the ledger is of the algorithm `ledger_algorithm` names; keep its verifier key elsewhere, beside the
    old one. A new key-encryption key ends what earlier backups can open.
    """
    with session(home, as_, json) as current:
        actor = current.actor()
        if which == Which.LEDGER:
            from shudu.ledger import actions, queries

            row = actions.rotate(actor)
            current.show(
                {"id": row.key_id, "key": queries.verifier_key(), "algorithm": row.algorithm},
                Text("账本改用新密钥签名。", "The ledger signs with a new key."),
            )
        else:
            from shudu.security import actions as security

            key, wrapped = security.rotate_data_keys(actor)
            current.show(
                {"id": key, "wrapped": wrapped},
                Text("数据密钥已用新密钥重新封装。", "Every data key is wrapped with a new key."),
            )
