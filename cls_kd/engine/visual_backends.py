"""Check that the packages of experiment trackers are installed, before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from mmengine.config import Config
from mmengine.registry import VISBACKENDS

from cls_kd.errors import UserError, did_you_mean
from cls_kd.registry import resolve

_PACKAGES = {
    "AimVisBackend": ("aim", "aim"),
    "ClearMLVisBackend": ("clearml", "clearml"),
    "DVCLiveVisBackend": ("dvclive", "dvclive"),
    "MLflowVisBackend": ("mlflow", "mlflow"),
    "NeptuneVisBackend": ("neptune", "neptune"),
    "TensorboardVisBackend": ("tensorboard", "tensorboard"),
    "WandbVisBackend": ("wandb", "wandb"),
}
"""MMEngine's backend to the package that it imports at its first use, and what to install."""


def check_backends(cfg: Config) -> None:
    """Refuse backends of the visualizer whose package is missing.

    Raises:
        UserError: What to install, or what a backend has to be.
    """
    backends = (cfg.get("visualizer") or {}).get("vis_backends") or []
    if not isinstance(backends, list | tuple):
        raise UserError(f"visualizer.vis_backends must be a list of backends, not {backends!r}.")
    for position, backend in enumerate(backends):
        where = f"visualizer.vis_backends[{position}]"
        if not isinstance(backend, Mapping):
            raise UserError(f"{where} must be dict(type=...), not {backend!r}.")
        kind = resolve(VISBACKENDS, backend.get("type"))
        if kind is None:
            known = did_you_mean(str(backend.get("type")), VISBACKENDS.module_dict)
            raise UserError(f"{where}: there is no backend {backend.get('type')!r}.{known}")
        module, package = _PACKAGES.get(kind.__name__, (None, None))
        if module is not None and find_spec(module) is None:
            raise UserError(
                f"{where} ({kind.__name__}) needs the package {package}: pip install {package}"
            )
