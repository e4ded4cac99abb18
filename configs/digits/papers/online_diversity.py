"""OKDMDE's classifier diversity at five scales, three seeds each, and its pull beside that of CE.

5e-8 is the scale that later works carry. docs/papers/online.md says what came out.
"""

from mmengine.config import read_base

with read_base():
    from ..branches import *

_scales = {"cd_0": 0.0, "cd_5e-8": 5e-8, "cd_1e-5": 1e-5, "cd_1e-3": 1e-3, "cd_1e-2": 1e-2}
runs = {
    name: dict(seeds=[0, 1, 2], model=dict(losses=dict(cd=dict(weight=scale))))
    for name, scale in _scales.items()
}
report = dict(baseline="cd_0", title="Digits: OKDMDE at five scales of classifier diversity")
analyses = [dict(type="branches"), dict(type="diversity_pull")]
default_hooks["checkpoint"].update(interval=20)
train_cfg.update(val_interval=20)
console_log_level = "ERROR"
