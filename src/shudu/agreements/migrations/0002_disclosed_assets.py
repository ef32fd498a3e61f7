"""For whom offers and agreements made so far open the entries of assets, into what `catalog` keeps."""

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from django.db import migrations
from django.db.models import F, Max, Q

FOREVER = datetime(9999, 12, 30, tzinfo=UTC)


def disclose(apps: Any, schema_editor: Any) -> None:
    audience = apps.get_model("catalog", "AssetAudience").objects
    assets = set(apps.get_model("catalog", "Asset").objects.values_list("id", flat=True))
    lines = apps.get_model("agreements", "OfferLine").objects
    agreements = apps.get_model("agreements", "Agreement").objects
    found: dict[tuple[str, str], datetime] = {}
    on_offer = lines.filter(offer__state="live")  # also of offers that have ended: that is compared when read
    for asset, until in on_offer.values_list("asset").annotate(last=Max("offer__until")):
        found[asset, "signed_in"] = until
    assigners: defaultdict[str, set[str]] = defaultdict(set)
    for offer, assigner in lines.values_list("offer", "assigner"):
        assigners[offer].add(assigner)
    shown = lines.filter(Q(assigner=F("offer__drafted_by")) | Q(accepted_at__isnull=False))
    for offer, asset in shown.values_list("offer", "asset"):
        for party in assigners[offer]:
            found[asset, f"party:{party}"] = FOREVER
    for asset, *parties in agreements.values_list("asset", "assigner", "assignee"):
        for party in parties:
            found[asset, f"party:{party}"] = FOREVER
    owners = audience.exclude(token="signed_in").values_list("row", "token")  # noqa: S106 - a token of an audience
    for one in owners:
        found.pop(one, None)
    kept = [
        audience.model(row_id=asset, token=token, until=until)
        for (asset, token), until in found.items()
        if asset in assets
    ]
    audience.bulk_create(kept, batch_size=2_000)


class Migration(migrations.Migration):
    dependencies = [("agreements", "0001_initial"), ("catalog", "0002_kept_audiences")]

    operations = [migrations.RunPython(disclose, migrations.RunPython.noop)]
