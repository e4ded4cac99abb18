"""Which output of a teacher is which class of the student, by the names of the classes."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import nn

from cls_kd.errors import UserError
from cls_kd.signals.heads import describe, has_classes

Names = tuple[str, ...]

_SHOWN = 5
_SYNSET = re.compile(r"n\d{8}")


def read_names(classes: str | Sequence[str]) -> Names:
    """Class names in the order of the outputs: as given, or from a file.

    Args:
        classes: The names; or the path of a text file with one name per line, or of a JSON file
            with a list of names.

    Raises:
        UserError: The file does not exist or holds no list of names.
    """
    if not isinstance(classes, str):
        return tuple(str(name) for name in classes)
    path = Path(classes).expanduser()
    if not path.is_file():
        raise UserError(f"The teacher's classes: there is no file {classes}.")
    try:
        text = path.read_text(encoding="utf-8")
        names = json.loads(text) if path.suffix == ".json" else text.splitlines()
    except ValueError as error:
        raise UserError(f"The teacher's classes: {classes} cannot be read ({error}).") from None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"The teacher's classes: {classes} does not hold a list of names.")
    return tuple(name.strip() for name in names if name.strip())


def class_indices(student: Names, teacher: Names, class_map: Mapping[str, str]) -> list[int]:
    """For each of the student's classes, the place of the same class among the teacher's.

    A name is looked up as it is; then without regard to case and underscores. A class of ImageNet
    is also found by its synset (``n02123045``) and by each of its synonyms, where only one class
    has it. (Ours.)

    Args:
        student: Names in the order of the student's outputs.
        teacher: Names in the order of the teacher's outputs.
        class_map: The teacher's name for a student's class, where the names differ.

    Raises:
        UserError: A class that the teacher lacks, with near matches; a name that several of the
            teacher's classes have; or two classes of the student that are one of the teacher's.
    """
    for name in class_map:
        if name not in student:
            raise UserError(
                f"class_map: the student has no class {name!r}.{_nearest(name, student)}"
            )
    if student == teacher and not class_map:
        return list(range(len(teacher)))
    index = _index(teacher)
    wanted = [class_map.get(name, name) for name in student]
    matches = [_look_up(name, index) for name in wanted]
    _check_found(student, wanted, matches, teacher, index)
    places = [position for (position,) in matches]
    _check_distinct(student, places, teacher)
    return places


def checked_names(names: Names | None, outputs: int) -> Names:
    """The names of a teacher's classes, one for each of its outputs.

    Raises:
        UserError: They are not known, or their number is another.
    """
    if names is None:
        raise UserError(
            "The teacher has a class_map, and the names of its classes are not known: give "
            "`classes`, their names in the order of its outputs or the path of a file with one "
            "name per line."
        )
    if len(names) != outputs:
        raise UserError(
            f"The teacher's `classes` are {len(names)} names, and its network has "
            f"{outputs} outputs: give the name of each output, in order."
        )
    return names


def check_has_classes(network: nn.Module, asked: Sequence[str]) -> None:
    """Refuse signals that are logits, of a teacher that has no classes.

    Raises:
        UserError: With losses that do without.
    """
    if asked and not has_classes(network):
        raise UserError(
            f"A loss asks for {asked[0]!r}, and the teacher {describe(network)} has no classes: it "
            "gives teacher_embedding, teacher_feature and teacher_tokens. Losses of these do "
            "without classes, such as EmbeddingRegressionLoss, PatchRegressionLoss, "
            "QueueSimilarityLoss, SPLoss, RKDLoss and PKTLoss."
        )


def shared_names(student: Names, teacher: Names) -> int:
    """Number of the student's classes that the teacher has by name."""
    index = _index(teacher)
    return sum(bool(_look_up(name, index)) for name in student)


Index = tuple[dict[str, list[int]], dict[str, list[int]]]
"""Places by exact names, and by all other names of a class in plain form."""


@lru_cache(maxsize=8)
def _index(teacher: Names) -> Index:
    exact: dict[str, list[int]] = defaultdict(list)
    plain: dict[str, list[int]] = defaultdict(list)
    for position, (name, aliases) in enumerate(zip(teacher, _aliases(teacher), strict=True)):
        exact[name].append(position)
        for alias in {_plain(alias) for alias in (name, *aliases)}:
            plain[alias].append(position)
    return dict(exact), dict(plain)


def _look_up(name: str, index: Index) -> list[int]:
    exact, plain = index
    return exact.get(name) or plain.get(_plain(name)) or []


def _check_found(
    student: Names,
    wanted: Sequence[str],
    matches: Sequence[list[int]],
    teacher: Names,
    index: Index,
) -> None:
    missing = [name for name, places in zip(wanted, matches, strict=True) if not places]
    if missing:
        lines = [f"  {name!r}.{_nearest(name, index[1])}" for name in missing[:_SHOWN]]
        more = f"\n  and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        first = next(name for name, places in zip(student, matches, strict=True) if not places)
        raise UserError(
            f"The teacher has no class of the name of {len(missing)} of the student's "
            f"{len(student)} classes:\n" + "\n".join(lines) + more + "\nWhere the names differ, "
            f"say which belong together: teacher=dict(..., class_map={{{first!r}: '...'}})."
        )
    for student_name, name, places in zip(student, wanted, matches, strict=True):
        if len(places) > 1:
            several = " or ".join(
                f"{teacher[position]!r} ({position})" for position in places[:_SHOWN]
            )
            raise UserError(
                f"The student's class {student_name!r}: {name!r} may be {several} of the teacher's "
                "classes. Name the right one in full in class_map, or give each of the teacher's "
                "classes a name of its own in `classes`."
            )


def _check_distinct(student: Names, places: Sequence[int], teacher: Names) -> None:
    first: dict[int, str] = {}
    for name, position in zip(student, places, strict=True):
        if position in first:
            raise UserError(
                f"The student's classes {first[position]!r} and {name!r} would both be the "
                f"teacher's class {teacher[position]!r}: each needs one of its own."
            )
        first[position] = name


def _nearest(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(_plain(name), {_plain(word) for word in known}, n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(word) for word in close)}?" if close else ""


def _plain(name: str) -> str:
    return name.strip().replace("_", " ").casefold()


def _aliases(names: Names) -> list[Names]:
    """Other names of each class; none but for ImageNet's."""
    if _are_imagenet(names):
        synsets: Names | None = _imagenet_synsets()
    else:
        synsets = names if all(_SYNSET.fullmatch(name) for name in names) else None
    if synsets is None:
        return [() for _ in names]
    lemmas = [_lemma(synset) for synset in synsets]
    return [
        (synset, lemma, *_synonyms(name), *_synonyms(lemma))
        for name, synset, lemma in zip(names, synsets, lemmas, strict=True)
    ]


def _are_imagenet(names: Names) -> bool:
    """Test for the 1,000 classes of ImageNet, by their descriptions and in order."""
    first, last = _synonyms(names[0])[0], _synonyms(names[-1])[0]
    return len(names) == 1000 and (first, last) == ("tench", "toilet tissue")


def _synonyms(names: str) -> list[str]:
    return [name.strip() for name in names.split(",")]


def _lemma(synset: str) -> str:
    info = imagenet_info("imagenet-1k")
    try:
        return synset if info is None else info.label_name_to_description(synset)
    except KeyError:
        return synset


def _imagenet_synsets() -> Names | None:
    info = imagenet_info("imagenet-1k")
    return None if info is None else tuple(info.label_names())


@lru_cache(maxsize=4)
def imagenet_info(subset: str) -> Any:
    """Timm's table of synsets; None where timm, which is optional, is not installed."""
    try:
        from timm.data import ImageNetInfo
    except ImportError:
        return None
    return ImageNetInfo(subset)
