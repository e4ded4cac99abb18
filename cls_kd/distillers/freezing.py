"""Parts of a network that are not trained, chosen by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from torch import nn

from cls_kd.core.terms import Term
from cls_kd.errors import UserError, did_you_mean
from cls_kd.signals.taps import classifier_path
from cls_kd.signals.vocabulary import VOCABULARY, WITHOUT_CLASSIFIER

ALL_BUT_CLASSIFIER = "all_but_classifier"
"""``student_frozen='all_but_classifier'``: the last linear layer alone is trained."""


def freeze(network: nn.Module, patterns: Sequence[str]) -> list[nn.Module]:
    """Turn off the gradients of what the patterns match.

    A pattern that matches a module freezes all of it. Which modules then stay in eval mode is ours,
    after mmpretrain's ``frozen_stages``: a matched module as a whole (batch norm uses its
    statistics and does not update them, dropout and drop path do nothing), and every normalization
    layer whose parameters are all frozen.

    Args:
        network: Its parameters are changed in place.
        patterns: Names of modules or parameters as in ``network.named_modules()``, with ``*`` for
            any characters: ``'backbone.conv1'``, ``'backbone.layer[12]'``, ``'*.bias'``; or
            `ALL_BUT_CLASSIFIER`.

    Returns:
        The modules that must stay in eval mode while the network trains.

    Raises:
        UserError: A pattern matches nothing.
    """
    modules = {name: module for name, module in network.named_modules() if name}
    parameters = dict(network.named_parameters())
    kept: list[nn.Module] = []
    patterns = [patterns] if isinstance(patterns, str) else list(patterns)
    if ALL_BUT_CLASSIFIER in patterns:
        kept += _freeze_all_but_classifier(network)
    for pattern in (pattern for pattern in patterns if pattern != ALL_BUT_CLASSIFIER):
        matched = [module for name, module in modules.items() if fnmatchcase(name, pattern)]
        chosen = [value for name, value in parameters.items() if fnmatchcase(name, pattern)]
        if not matched and not chosen:
            hint = did_you_mean(pattern, [*modules, *parameters], every=False)
            top = ", ".join(sorted({name.split(".")[0] for name in modules}))
            raise UserError(
                f"student_frozen: the pattern {pattern!r} matches no module and no parameter of "
                f"the student.{hint} Its names begin with: {top}."
            )
        for parameter in [*chosen, *_parameters(matched)]:
            parameter.requires_grad_(False)
        kept += matched
    return kept + [module for module in modules.values() if patterns and _frozen_norm(module)]


def _freeze_all_but_classifier(network: nn.Module) -> list[nn.Module]:
    """The modules that hold no part of the classifier, which stay in eval mode."""
    path = classifier_path(network)
    if path is None:
        raise UserError(
            f"student_frozen={ALL_BUT_CLASSIFIER!r}: the student has no linear classifier."
        )
    network.requires_grad_(False)
    network.get_submodule(path).requires_grad_(True)
    return [
        module
        for name, module in network.named_modules()
        if name and not f"{path}.".startswith(f"{name}.")
    ]


def _parameters(modules: Iterable[nn.Module]) -> Iterable[nn.Parameter]:
    for module in modules:
        yield from module.parameters()


def _frozen_norm(module: nn.Module) -> bool:
    parameters = list(module.parameters(recurse=False))
    has_statistics = getattr(module, "running_mean", None) is not None
    return (
        has_statistics and bool(parameters) and not any(value.requires_grad for value in parameters)
    )


def untrained_classifier(network: nn.Module, terms: Mapping[str, Term]) -> list[str]:
    """Path of a classifier whose output no loss asks for, as a list of one or none.

    It would get no gradient, for which DDP waits, and be changed by weight decay alone.

    Args:
        network: The student.
        terms: The objective, by name.
    """
    wanted = {signal for term in terms.values() for signal in term.loss.signals}
    if {name for name in wanted if VOCABULARY[name].provider == "student"} - WITHOUT_CLASSIFIER:
        return []
    path = classifier_path(network)
    return [] if path is None else [path]
