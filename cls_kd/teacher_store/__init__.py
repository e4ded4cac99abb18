"""Stored outputs of teachers: rows in memory-mapped files, addressed by sample and augmentation.

Nothing in these files runs code: a key in JSON, rows of fixed length, and a tag for each row. What
does not fit its tag is not there.
"""

from cls_kd.teacher_store.addressing import Addressing, ByEpoch, ByOutcome
from cls_kd.teacher_store.codecs import Codec, build_codec
from cls_kd.teacher_store.fingerprints import fingerprint
from cls_kd.teacher_store.folder import STORED_SIGNALS, StoreFolder, key_of, open_folder
from cls_kd.teacher_store.listing import StoreEntry, entries, remove
from cls_kd.teacher_store.options import DEFAULT_DIR, StoreOptions, size_text
from cls_kd.teacher_store.validation import StoredMetrics

__all__ = [
    "DEFAULT_DIR",
    "STORED_SIGNALS",
    "Addressing",
    "ByEpoch",
    "ByOutcome",
    "Codec",
    "StoreEntry",
    "StoreFolder",
    "StoreOptions",
    "StoredMetrics",
    "build_codec",
    "entries",
    "fingerprint",
    "key_of",
    "open_folder",
    "remove",
    "size_text",
]
