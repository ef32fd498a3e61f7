"""Rows of the catalogue. Every row carries its owner; asset text is a language map; codes are stored, never labels."""

from django.db import models

from shudu.policy import clock, ids
from shudu.policy.models import Audience, AudienceSize

from .types import KEEPS_ROWS


def new_asset() -> str:
    return ids.new("asset")


def new_binding() -> str:
    return ids.new("binding")


def new_version() -> str:
    return ids.new("version")


def new_right() -> str:
    return ids.new("right")


def new_correction() -> str:
    return ids.new("correction")


class Asset(models.Model):
    """A catalogue entry: anything with an owner that can be described and used."""

    class Kind(models.TextChoices):
        TABLE = "table"
        MODEL = "model"

    class State(models.TextChoices):
        ACTIVE = "active"
        AWAITING_REVIEW = "awaiting_review"

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=new_asset)
    owner = models.CharField(max_length=64, db_index=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    state = models.CharField(max_length=20, choices=State.choices, default=State.ACTIVE)
    title = models.JSONField()
    level = models.CharField(max_length=2)
    code = models.CharField(max_length=40, unique=True)
    core = models.JSONField(default=dict)
    origin = models.CharField(max_length=40, default="unstated")
    # Of a derived asset: the meet of its inputs' onward terms. Opaque here; `agreements` reads it.
    terms = models.JSONField(default=dict)
    run = models.CharField(max_length=64, blank=True, default="")
    # Its entry (never its content) is shown to every party that has signed in: what others may name in a draft.
    findable = models.BooleanField(default=False)
    # Until when the promised update cycle asks for a new version (`promises`); kept because lists are filtered by it.
    due = models.DateTimeField(null=True)
    created = models.DateTimeField(default=clock.now)

    class Meta:
        indexes = [
            models.Index(fields=["due"], name="asset_due"),
            models.Index(fields=["owner", "due"], name="asset_owner_due"),
        ]

    @property
    def overdue(self) -> bool:
        """Whether the promised day has passed; nothing is written when it does."""
        return self.due is not None and self.due < clock.now()


class Binding(models.Model):
    """What an asset is bound to. `spec` holds a model's declaration: inputs, output, digest, card."""

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=new_binding)
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="bindings")
    kind = models.CharField(max_length=10, choices=Asset.Kind.choices)
    entity_key = models.CharField(max_length=200, blank=True, default="")
    spec = models.JSONField(default=dict)


class Version(models.Model):
    """An immutable state of a binding. Its digests and tombstone stay when its files are gone."""

    class State(models.TextChoices):
        LIVE = "live"
        WITHDRAWN = "withdrawn"
        ERASED = "erased"

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=new_version)
    binding = models.ForeignKey(Binding, on_delete=models.PROTECT, related_name="versions")
    owner = models.CharField(max_length=64, db_index=True)
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.LIVE)
    files = models.JSONField()
    columns = models.JSONField()
    rows = models.BigIntegerField()
    source_sha256 = models.CharField(max_length=64, blank=True, default="")
    observations = models.JSONField(default=dict)
    # How its file was read, what became of its rows, and what lies beside the table for the owner alone.
    recipe = models.JSONField(default=dict)
    report = models.JSONField(default=dict)
    side_files = models.JSONField(default=list)
    # How it came from the version before (`lake.types.Change`); empty for the first.
    change = models.JSONField(default=dict)
    created = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["binding", "number"], name="version_number_once")]


class Correction(models.Model):
    """What is still to be done about the rows of a version that were put aside; its case is of that version.

    `secret` makes the keys of its lists. `files` holds what a list that came back said of rows that still do not fit,
    kept like the version's own files (`Place` with this id) and gone with them. `round` counts what changed it.
    """

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=new_correction)
    version = models.OneToOneField(Version, on_delete=models.PROTECT, related_name="correction")
    owner = models.CharField(max_length=64, db_index=True)
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="corrections")
    secret = models.CharField(max_length=64)
    rows = models.BigIntegerField()
    open = models.BigIntegerField()
    round = models.PositiveIntegerField(default=0)
    place = models.CharField(max_length=64, blank=True, default="")
    files = models.JSONField(default=list)
    created = models.DateTimeField(default=clock.now)

    @property
    def replaced(self) -> bool:
        """Whether the newest live version, if any, does not go on from this one's: another was put in its place."""
        later = Version.objects.filter(binding=self.version.binding_id, number__gte=self.version.number)
        rows = {row.id: row for row in later.order_by("number")}
        there = next((row.id for row in reversed(rows.values()) if row.state == Version.State.LIVE), "")
        while there in rows and there != self.version_id:
            change = rows[there].change
            goes_on = change.get("mode") in KEEPS_ROWS and not change.get("removed")
            there = change["base"] if goes_on else ""
        return there != self.version_id


class SettledRow(models.Model):
    """A row that was put aside and is done with: corrected and added by version `into`, or left out for a reason."""

    class Outcome(models.TextChoices):
        ADDED = "added"
        LEFT_OUT = "left_out"

    correction = models.ForeignKey(Correction, on_delete=models.PROTECT, related_name="settled")
    row = models.BigIntegerField()
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    into = models.CharField(max_length=64, blank=True, default="")
    reason = models.CharField(max_length=500, blank=True, default="")
    time = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["correction", "row"], name="settled_once")]


class Right(models.Model):
    """Which party has which right in an asset, and from which agreement that right comes."""

    class Kind(models.TextChoices):
        HOLD = "hold", "持有权"
        USE = "use", "使用权"
        OPERATE = "operate", "经营权"

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=new_right)
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="rights")
    party = models.CharField(max_length=64, db_index=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    # "origin" for who brought the asset, else the agreement or run the right comes from.
    basis = models.CharField(max_length=64, default="origin")
    source = models.ForeignKey("self", null=True, on_delete=models.PROTECT)
    ended = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["asset", "party", "kind", "basis"], name="right_once")]


class LevelReview(models.Model):
    """A recorded review of an asset's level: who answered for it, and the digest of the opinion."""

    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="reviews")
    level = models.CharField(max_length=2)
    party = models.CharField(max_length=64)
    opinion_sha256 = models.CharField(max_length=64)
    time = models.DateTimeField(default=clock.now)


class AssetAudience(Audience):
    """For whom an asset's entry stands open, kept with what opens it (`policy.audiences`)."""

    row = models.ForeignKey(Asset, on_delete=models.CASCADE, related_name="audiences")


class AssetAudienceSize(AudienceSize):
    """To how many assets a token opens the entry, kept with the tokens (`policy.audiences`)."""
