"""How many assets each token opens, of the tokens kept so far."""

from collections import Counter
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from django.db import migrations

EVER = datetime(1970, 1, 1, tzinfo=UTC)
WIDE = ("public", "signed_in")


def size(apps: Any, schema_editor: Any) -> None:
    sizes = apps.get_model("catalog", "AssetAudienceSize").objects
    rows = apps.get_model("catalog", "AssetAudience").objects.order_by("row").values_list("row", "token", "until")
    found: Counter[tuple[str, datetime, datetime]] = Counter()
    for _, group in groupby(rows.iterator(), key=lambda one: one[0]):
        kept = {token: until for _, token, until in group}
        after = EVER
        for token in WIDE:
            if kept.get(token, after) > after:
                found[token, after, kept[token]] += 1
                after = kept[token]
        for token, until in kept.items():
            if token not in WIDE and until > after:
                found[token, after, until] += 1
    made = [sizes.model(token=token, after=after, until=until, rows=n) for (token, after, until), n in found.items()]
    sizes.bulk_create(made, batch_size=2_000)


class Migration(migrations.Migration):
    dependencies = [("agreements", "0002_disclosed_assets"), ("catalog", "0005_audience_sizes")]

    operations = [migrations.RunPython(size, migrations.RunPython.noop)]
