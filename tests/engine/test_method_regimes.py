"""Methods train in two processes, in half precision, compiled, and resume to the last bit.

Every method takes minutes: ``pytest tests/engine/test_method_regimes.py --every-method``. Without
that option one method of every kind is tried. A kind is what a training may stumble over: what the
losses remember, whether they learn, and the data, optimizer or student that the method brings
along. Compiled, a kind is one of networks; inductor, which takes long, compiles with
``--every-method`` alone.
"""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch._dynamo import lookup_backend

from cls_kd.core.terms import build_loss, build_terms
from cls_kd.engine import load_config, train
from cls_kd.models import NToOneClassifier
from cls_kd.runs.compose import known_methods
from tests.distillers import test_every_method, tiny
from tests.distributed.test_two_processes import ends, in_two, train_and_keep
from tests.engine import tiny_runs
from tests.engine.test_resume import in_step, train_and_die
from tests.engine.tiny_runs import ROOT, STEPS
from tests.losses.fabricate import Sizes

# Widths that four heads of attention divide, and of the teacher's maps eight.
DEEP = Sizes(
    tokens={"student": (5, 5, 8), "teacher": (6, 5, 12)},
    stages={
        "student": ((3, 8, 8), (4, 4, 4), (6, 4, 4)),
        "teacher": ((8, 8, 8), (16, 8, 8), (8, 4, 4)),
    },
)


def kind(method: str) -> tuple[Hashable, ...]:
    """The common properties of methods of one kind."""
    cfg = load_config(known_methods()[method]).to_dict()
    losses = [term.loss for term in build_terms(cfg["losses"], build_loss).values()]
    signals = {name for loss in losses for name in loss.signals}
    for loss in losses:
        loss.build(DEEP.facts())
    learns = any(True for loss in losses for _ in loss.parameters())
    remembers = frozenset(
        f"{type(loss).__name__}.{name}"
        for loss in losses
        for name, _ in loss.named_buffers()
        if not name.rpartition(".")[2].startswith(("running_", "num_batches"))
    )
    others = {key: value for key, value in cfg.items() if key != "losses"}
    networks = frozenset(name for name in signals if name in OF_A_KIND_OF_NETWORK)
    return learns, remembers, networks, str(others)


# Signals of students of a kind of their own.
OF_A_KIND_OF_NETWORK = {
    "all_teacher_embeddings",
    "all_teacher_features",
    "all_teacher_logits",
    "student_expanded_feature",
    "student_normed_tokens",
    "student_projected",
}
EVERY_METHOD = sorted(known_methods())
# Of each kind the first by name.
METHODS = sorted({kind(method): method for method in reversed(EVERY_METHOD)}.values())
BRANCHES = ROOT / "configs" / "digits" / "branches.py"
EPOCHS = 2
# Options of losses that cost time.
SMALL = {"negatives": 16, "dim": 8, "autoencoder_channels": 8, "num_heads": 4}
GROUP = 8
"""Methods that two processes train, one after the other."""
# Of networks: one of convolutions, of branches, a transformer, one with a projector.
COMPILED = ("ab", "cl_ilr", "cumulative_spatial", "simkd")
BY_INDUCTOR = ("kd", "crd", "reviewkd", "vitkd", "fcfd")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The methods that are tried."""
    methods = EVERY_METHOD if metafunc.config.getoption("--every-method") else METHODS
    if "method" in metafunc.fixturenames:
        metafunc.parametrize("method", methods)
    elif "method_in_half" in metafunc.fixturenames:
        # Autocast depends on the network and on what is learned, not on what is remembered.
        few = {kind(method)[0::2]: method for method in reversed(methods)}
        every = metafunc.config.getoption("--every-method")
        metafunc.parametrize("method_in_half", methods if every else sorted(few.values()))
    elif "backend" in metafunc.fixturenames:
        every = metafunc.config.getoption("--every-method")
        cases = [(name, "aot_eager") for name in EVERY_METHOD if every]
        cases += [(name, "inductor") for name in BY_INDUCTOR if every]
        metafunc.parametrize(
            ("compiled", "backend"), cases or [(name, "eager") for name in COMPILED]
        )
    elif "methods" in metafunc.fixturenames:
        groups = [methods[first : first + GROUP] for first in range(0, len(methods), GROUP)]
        metafunc.parametrize("methods", groups, ids=lambda group: group[0])


def config(method: str, teacher: Path, **options: Any) -> Config:
    """The method on a pair, on branches, or on vision transformers, as its signals want."""
    losses = load_config(known_methods()[method]).to_dict()["losses"]
    options = {"model__student__backbone__dropout": 0.2, **options}
    if tiny.wants_branches(losses):
        return tiny_runs.config(None, path=BRANCHES, method=method, epochs=EPOCHS, **options)
    signals = tiny.signals_of(losses)
    if tiny.wants_tokens(losses):
        distilled = "student_class_token_logits" in signals
        student = tiny.distilled_vit(12) if distilled else tiny.vit(12, 4)
        teacher_network = _teacher_of_tokens(signals)
        options["model__student"] = {"_delete_": True, **_of_gray_images(student, drop_rate=0.2)}
        options.pop("model__student__backbone__dropout")
        options["model__teacher"] = {
            "_delete_": True,
            "network": teacher_network,
            "weights": "random",
        }
    if tiny.wants_expansion(losses):
        options |= {"model__student__type": NToOneClassifier, "model__student__n": 2}
        options["model__student__teacher_channels"] = tiny_runs.TEACHER["head"]["in_channels"]
    if tiny.wants_projector(losses):
        options.pop("model__student__backbone__dropout")
        width = tiny_runs.TEACHER["head"]["in_channels"]
        options |= {
            "path": ROOT / "configs" / "digits" / "simkd.py",
            "model__student__backbone__backbone__dropout": 0.2,
            "model__student__backbone__out_channels": width,
            "model__student__head__in_channels": width,
            "model__student__head__init_cfg__checkpoint": str(teacher),
        }
    if tiny.wants_teachers(losses):
        networks = (str(teacher), "random")
        options["model__teacher"] = [
            {"network": tiny_runs.TEACHER, "weights": weights} for weights in networks
        ]
    options |= {
        f"model__losses__{name}__{key}": value
        for name, loss in losses.items()
        for key, value in SMALL.items()
        if key in loss
    }
    return tiny_runs.config(teacher, method=method, epochs=EPOCHS, **options)


def _teacher_of_tokens(signals: set[str]) -> dict[str, Any]:
    """A vision transformer, or a convolutional network where the teacher's map is asked for."""
    if "teacher_feature" in signals:
        return tiny_runs.TEACHER
    return _of_gray_images(tiny.vit(16, 5))


def _of_gray_images(network: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {**network, "backbone": {**network["backbone"], "in_channels": 1, **options}}


def test_a_killed_run_ends_as_one_that_was_not(
    method: str, digits_teacher: Path, tmp_path: Path
) -> None:
    cfg = config(method, digits_teacher)
    assert tiny_runs.in_child(tiny_runs.train_in_child, cfg, tmp_path / "whole") == 0
    died = tiny_runs.in_child(train_and_die, cfg, tmp_path / "run", in_step, STEPS + 2)
    assert died == -signal.SIGKILL
    assert tiny_runs.in_child(tiny_runs.train_in_child, cfg, tmp_path / "run", True) == 0
    whole, run = tiny_runs.state(tmp_path / "whole"), tiny_runs.state(tmp_path / "run")
    assert not tiny_runs.different(whole, run)


def train_in_half(cfg: Config, work_dir: Path) -> None:
    run = tiny_runs.single(cfg, work_dir)
    dtypes = set()

    def note(module: torch.nn.Module, _: Any, output: Any) -> None:
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            dtypes.add(output.dtype)

    hook = torch.nn.modules.module.register_module_forward_hook(note)
    result = train(run)
    hook.remove()
    assert torch.bfloat16 in dtypes
    values = [entry["loss"] for entry in result["train"]]
    assert len(values) == EPOCHS
    assert all(math.isfinite(value) for value in values)


def test_half_precision(method_in_half: str, digits_teacher: Path, tmp_path: Path) -> None:
    cfg = config(method_in_half, digits_teacher, amp=True)
    assert tiny_runs.in_child(train_in_half, cfg, tmp_path) == 0


def one_step(file: Path, backend: Callable[..., Any] | None) -> dict[str, torch.Tensor]:
    """Logged losses and the state after a step, of compiled networks if there is a backend."""
    chosen = test_every_method.networks(test_every_method.kinds(file)[0], file)
    model = tiny.distiller(test_every_method.losses_of(file), **chosen)
    if backend is not None:
        model.compile_networks(backend=backend)
    raw = tiny.data(6, channels=chosen.get("channels", 1), size=chosen.get("size", 8))
    torch.manual_seed(1)
    return tiny.step(model, tiny.viewed(tiny.paired(raw))) | model.state_dict()


def test_compiled_networks_take_the_same_step(compiled: str, backend: str) -> None:
    torch._dynamo.reset()  # after a few networks of one class the next would not be compiled
    graphs = []

    def noting(graph: torch.fx.GraphModule, inputs: Any) -> Callable[..., Any]:
        graphs.append(graph)
        return lookup_backend(backend)(graph, inputs)

    file = known_methods()[compiled]
    expected, step = one_step(file, None), one_step(file, noting)
    assert graphs
    assert expected.keys() == step.keys()
    for name, value in expected.items():
        assert torch.allclose(step[name], value, rtol=1e-4, atol=1e-6), name


def train_all(configs: dict[str, Config], root: Path) -> None:
    for method, cfg in configs.items():
        (root / method).mkdir(parents=True, exist_ok=True)
        train_and_keep(tiny_runs.single(cfg, root / method).resolved(), root / method)


@pytest.mark.ddp
def test_two_processes(methods: list[str], digits_teacher: Path, tmp_path: Path) -> None:
    """With ``find_unused_parameters=False``; both end with the same weights and banks."""
    configs = {
        method: config(method, digits_teacher, launcher="pytorch", train_dataloader__batch_size=10)
        for method in methods
    }
    assert in_two(train_all, configs, tmp_path) == [0, 0]
    for method in configs:
        first, second = ends(tmp_path / method)
        assert first.keys() == second.keys()
        for key, value in first.items():
            assert torch.equal(value, second[key]), (method, key)
