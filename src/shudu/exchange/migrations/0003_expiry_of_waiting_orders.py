from typing import Any

from django.db import migrations


def set_deadlines(apps: Any, schema_editor: Any) -> None:
    """Orders placed before there were deadlines get theirs: the end of the first of their agreements."""
    Case = apps.get_model("cases", "Case")
    Deadline = apps.get_model("cases", "Deadline")
    OrderLine = apps.get_model("exchange", "OrderLine")
    Agreement = apps.get_model("agreements", "Agreement")
    for case in Case.objects.filter(procedure="order").exclude(state="cancelled").iterator():
        lines = OrderLine.objects.filter(order=case.subject).values_list("agreement", flat=True)
        ends = Agreement.objects.filter(pk__in=list(lines)).order_by("until").values_list("until", flat=True)
        if ends:
            Deadline.objects.get_or_create(case=case, name="order.expiry", defaults={"due": ends[0]})


class Migration(migrations.Migration):
    dependencies = [
        ("exchange", "0002_restart"),
        ("cases", "0002_deadline"),
        ("agreements", "0001_initial"),
    ]

    operations = [migrations.RunPython(set_deadlines, migrations.RunPython.noop)]
