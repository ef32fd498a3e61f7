"""The log's rows. Entries, disclosures and tree heads are the record; tiles are a projection of the entries."""

from django.db import models

from .note import Checkpoint, VerifierKey


class Log(models.Model):
    """One origin with the key it was opened with. The last one opened is the one that grows; earlier ones still prove
    what they hold."""

    origin = models.CharField(max_length=255, unique=True)
    algorithm = models.CharField(max_length=20)
    key_id = models.CharField(max_length=8, unique=True)
    public_key = models.BinaryField()
    opened = models.DateTimeField()

    @property
    def verifier_keys(self) -> list[VerifierKey]:
        """The key it was opened with and those that took over, in turn; each proves what it has signed."""
        later = self.later_keys.order_by("id").values_list("public_key", "algorithm")
        keys = [(self.public_key, self.algorithm), *later]
        return [VerifierKey(self.origin, bytes(public_key), algorithm) for public_key, algorithm in keys]

    @property
    def verifier_key(self) -> VerifierKey:
        """The one that signs now."""
        return self.verifier_keys[-1]


class SigningKey(models.Model):
    """A key that took over in a log that goes on. Its entry in the log lies under a checkpoint both keys signed."""

    log = models.ForeignKey(Log, on_delete=models.PROTECT, related_name="later_keys")
    algorithm = models.CharField(max_length=20)
    key_id = models.CharField(max_length=8, unique=True)
    public_key = models.BinaryField()
    since = models.DateTimeField()


class Entry(models.Model):
    """An outbox row with its place in a log. `subject` only finds entries; what is committed to is the leaf."""

    id = models.CharField(primary_key=True, max_length=64, editable=False)
    log = models.ForeignKey(Log, on_delete=models.PROTECT)
    index = models.PositiveBigIntegerField()
    outbox = models.PositiveBigIntegerField(unique=True)
    event = models.CharField(max_length=40)
    subject = models.CharField(max_length=64)
    time = models.DateTimeField()
    leaf = models.BinaryField()
    leaf_hash = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["log", "index"], name="entry_place")]
        indexes = [models.Index(fields=["subject", "event"], name="entry_subject")]


class Disclosure(models.Model):
    """What opens an entry's commitments: {name: {"salt", "value"}}. A name taken out can never be opened again."""

    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, primary_key=True)
    fields = models.JSONField()


class TreeHead(models.Model):
    """A size the log has had: its root, and the checkpoint signed for it, which may gain cosignatures."""

    log = models.ForeignKey(Log, on_delete=models.PROTECT)
    size = models.PositiveBigIntegerField()
    root = models.BinaryField()
    frontier = models.BinaryField()
    checkpoint = models.TextField()
    time = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["log", "size"], name="one_root_per_size")]

    @property
    def body(self) -> Checkpoint:
        """What the checkpoint must say."""
        return Checkpoint(self.log.origin, self.size, bytes(self.root))


class HashTile(models.Model):
    """The hashes of one tile, 32 bytes each: 256 of them, or fewer while it grows."""

    log = models.ForeignKey(Log, on_delete=models.PROTECT)
    level = models.PositiveSmallIntegerField()
    index = models.PositiveBigIntegerField()
    hashes = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["log", "level", "index"], name="tile_place")]
