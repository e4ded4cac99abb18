"""OKDMDE against other online methods, itself without its parts, and the student alone; five seeds.

All see the same 100 images and share the first stage, but for DML and KDCL, which train whole
networks. Deployed is the first branch; of OKDDip the leader. Settings are the published ones; what
the papers leave open was decided on the validation split. docs/papers/online.md says what came out.
"""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.online_methods import *
    from ...networks.digits_student import *
    from ..branches import *

_seeds = list(range(5))
_alone = dict(student=dict(_delete_=True, **digits_student))
runs = dict(
    student=dict(method="ce", seeds=_seeds, model=_alone),
    branches=dict(seeds=_seeds, model=branches_alone),
    **{name: dict(run, seeds=_seeds) for name, run in online.items()},
)
report = dict(baseline="student", title="Digits: branches that learn together from 100 images")
_compared = ["student", "branches", "dml", "one", "cl_ilr", "okddip", "kdcl"]
analyses = [
    dict(type="branches"),
    dict(type="comparisons", pairs=[("okdmde", name) for name in _compared]),
]
analyses[1]["pairs"] += [("okdmde", "okdmde_mean"), ("okdmde", "okdmde_no_cd")]
default_hooks["checkpoint"].update(interval=20)
train_cfg.update(val_interval=20)
console_log_level = "ERROR"
