"""Training in generations: a network, then networks like it, each taught by the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config

from cls_kd.errors import UserError
from cls_kd.runs.registry import RUN_LISTS

_SEED_STEP = 1000
"""Between the seeds of two generations: no seed that one is likely to ask for."""


@RUN_LISTS.register_module()
def generations(
    cfg: Config,
    *,
    name: str,
    students: int,
    lambda_: float,
    eta: float = 1.0,
    tolerance: Mapping[str, Any] | None = None,
    patriarch: str | None = None,
    seeds: Sequence[int] | None = None,
) -> list[dict[str, Any]]:
    r"""The runs of one chain D(eta, lambda): ``<name>_0``, the patriarch, then ``<name>_1``, ...

    All have the network ``model.student`` of the config. Each generation has an initialization and
    an order of images of its own: with those of its teacher it would hardly leave it.

    .. math::
        L^0 &= \eta \, \mathrm{CE} + (1 - \eta) \, \mathrm{tolerance} \\
        L^m &= (1 - \lambda) \, \mathrm{CE} + \lambda \, \mathrm{KL}(f^{m-1} \,\|\, f^m)

    with f the softmax at temperature 1. D(1, lambda) is a chain with a strict patriarch, of
    born-again networks: with their labels, or without for lambda = 1. D(1, 0) is one network that
    is trained from labels alone: ``students=0, lambda_=0``.

    C. Yang, L. Xie, S. Qiao, A. Yuille, "Training Deep Neural Networks in Generations: A More
    Tolerant Teacher Educates Better Students", AAAI 2019, arXiv:1805.05551; T. Furlanello,
    Z. C. Lipton, M. Tschannen, L. Itti, A. Anandkumar, "Born Again Neural Networks", ICML 2018,
    arXiv:1805.04770.

    Args:
        cfg: The config that holds the list of runs.
        name: Of the chain.
        students: How many generations follow the patriarch.
        lambda_: lambda, weight of the teacher's term. 0 where there is no student.
        eta: eta, weight of the labels for the patriarch; what is left goes to ``tolerance``.
        tolerance: The patriarch's other loss, such as ``dict(type='TSDLoss', k=5)``. None for
            ``eta=1``.
        patriarch: An earlier run that is the patriarch of this chain too, in place of a run of its
            own with the same weights.
        seeds: As of any run.

    Raises:
        UserError: A number is outside its range, or two options contradict each other.
    """
    _check(name, students, lambda_, eta, tolerance, patriarch)
    names = [patriarch or f"{name}_0", *(f"{name}_{m}" for m in range(1, students + 1))]
    model = cfg.model
    network = model.student
    runs = []
    if patriarch is None:
        losses = _weighed(eta, None if tolerance is None else ("tolerance", tolerance))
        runs.append({"losses": losses, "teacher": None})
    for before in names[:-1]:
        taught = {"type": "cls_kd.losses.KDLoss", "temperature": 1.0}
        runs.append(
            {
                "losses": _weighed(1 - lambda_, ("kd", taught)),
                "teacher": {"network": network, "weights": f"run:{before}"},
            }
        )
    first = 0 if patriarch is None else 1
    return [
        {
            "name": names[generation],
            "seed_shift": _SEED_STEP * generation,
            "model": {key: _replacement(model, key, value) for key, value in run.items()},
            **({} if seeds is None else {"seeds": list(seeds)}),
        }
        for generation, run in enumerate(runs, first)
    ]


def _check(
    name: str,
    students: int,
    lambda_: float,
    eta: float,
    tolerance: Mapping[str, Any] | None,
    patriarch: str | None,
) -> None:
    for option, value in {"eta": eta, "lambda_": lambda_}.items():
        if not 0 <= value <= 1:
            raise UserError(f"The generations {name!r}: {option} is in [0, 1], not {value}.")
    if (tolerance is None) != (eta == 1):
        raise UserError(
            f"The generations {name!r}: eta={eta} leaves {1 - eta:g} of the patriarch's loss to "
            + ("tolerance=dict(type='TSDLoss'), say." if tolerance is None else "tolerance=None.")
        )
    if (students == 0) != (lambda_ == 0) or students < 0:
        raise UserError(
            f"The generations {name!r}: students={students} and lambda_={lambda_}. Students are "
            "taught with lambda_ above 0; without a teacher, D(1, 0), both are 0."
        )
    if patriarch is not None and (eta != 1 or not students):
        raise UserError(
            f"The generations {name!r}: the patriarch is the run {patriarch!r}, which has its own "
            "losses; leave out eta and tolerance, and give it students."
        )


def _weighed(labels: float, other: tuple[str, Mapping[str, Any]] | None) -> dict[str, Any]:
    """Cross-entropy and another loss that share a weight of 1; none that counts nothing."""
    # As people write them: 1 - 0.7 is 0.3.
    labels, rest = round(labels, 12), round(1 - labels, 12)
    losses: dict[str, Any] = {}
    if labels > 0:
        losses["ce"] = {"type": "cls_kd.losses.TaskLoss", "weight": labels}
    if other is not None:
        losses[other[0]] = {**other[1], "weight": rest}
    return losses


def _replacement(model: Mapping[str, Any], key: str, value: Any) -> Any:
    """Value that replaces a key of the config's ``model``; MMEngine would merge two dicts."""
    return {"_delete_": True, **value} if isinstance(value, dict) and key in model else value
