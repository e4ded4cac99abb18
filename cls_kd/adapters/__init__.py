"""Rules for the networks and data samples of other libraries."""

# It imports mmpretrain first, without the warnings and prints of mmpretrain's own first import.
import cls_kd.registry  # noqa: F401
