"""Weights from the network: cached, and where they do not come, it is said why and what to do."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import torch
from safetensors.torch import save_file

from cls_kd.distillers.checkpoints import read_checkpoint
from cls_kd.distillers.networks import build_with_weights
from cls_kd.errors import UserError

WEIGHTS = {"a": torch.arange(3.0)}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the server has; PyTorch's cache is empty."""
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    (tmp_path / "served").mkdir()
    return tmp_path / "served"


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    """A real server on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_checkpoint_is_downloaded_once(suffix: str, server: str, folder: Path) -> None:
    path = folder / f"weights.{suffix}"
    save = torch.save if suffix == "pth" else save_file
    save(WEIGHTS, path)
    named = path.with_name(f"net-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}.{suffix}")
    path.rename(named)
    first = read_checkpoint(f"{server}/{named.name}")
    named.unlink()
    again = read_checkpoint(f"{server}/{named.name}?download=1")
    assert torch.equal(first["a"], WEIGHTS["a"])
    assert torch.equal(again["a"], WEIGHTS["a"])


def refusal(source: str) -> str:
    with pytest.raises(UserError) as refused:
        read_checkpoint(source)
    return str(refused.value)


def test_a_file_that_is_not_there(server: str) -> None:
    message = refusal(f"{server}/net.pth")
    assert f"{server}/net.pth could not be downloaded: HTTPError: HTTP Error 404" in message
    assert "weights='path/to/net.pth'" in message
    assert "checkpoints/net.pth, where it is looked for first" in message
    assert "damaged" not in message


def test_no_connection(folder: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/net.pth"
    assert f"{url} could not be downloaded: URLError" in refusal(url)


def test_a_download_that_is_not_the_named_file_is_not_kept(server: str, folder: Path) -> None:
    torch.save(WEIGHTS, folder / "net-0123abcd.pth")
    for _ in range(2):
        assert "could not be downloaded: RuntimeError: invalid hash" in refusal(
            f"{server}/net-0123abcd.pth"
        )


def test_a_download_that_is_no_checkpoint_says_where_it_is(server: str, folder: Path) -> None:
    (folder / "net.pth").write_text("<html>Log in first</html>")
    message = refusal(f"{server}/net.pth")
    assert "cannot be read: it is damaged, cut short or not a checkpoint" in message
    assert f"downloaded to {torch.hub.get_dir()}/checkpoints/net.pth; remove that file" in message


def test_a_process_whose_first_one_failed_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr("cls_kd.distillers.remote.wait_for", lambda *_: _raise(TimeoutError("x")))
    assert "could not be downloaded: TimeoutError" in refusal("http://127.0.0.1:9/net.pth")


def test_a_checkpoint_comes_encrypted_or_not_at_all(folder: Path) -> None:
    message = refusal("http://example.org/net.pth")
    assert "http://example.org/net.pth was not downloaded: anybody on the way" in message
    assert "Give its https:// URL" in message
    cached = Path(torch.hub.get_dir(), "checkpoints", "net.pth")
    cached.parent.mkdir(parents=True, exist_ok=True)
    torch.save(WEIGHTS, cached)  # brought by hand
    assert torch.equal(read_checkpoint("http://example.org/net.pth")["a"], WEIGHTS["a"])


def _raise(error: Exception) -> None:
    raise error


# --- timm's ---


@pytest.mark.parametrize(
    "network",
    ["timm:test_resnet.r160_in1k", dict(type="TimmClassifier", model_name="test_resnet.r160_in1k")],
)
def test_weights_that_timm_cannot_get_name_the_network(
    network: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder))
    with pytest.raises(UserError) as refused:
        build_with_weights(network, "pretrained")
    message = str(refused.value)
    assert "weights of 'test_resnet.r160_in1k' could not be loaded from https://hug" in message
    assert "give its path: weights='path/to/file'" in message
    assert "mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]" in message


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("test_resnt", "has no model 'test_resnt'. Did you mean 'test_resnet'"),
        ("test_resnet.r161", "no weights 'test_resnet.r161'. Did you mean 'test_resnet.r160_in1k'"),
    ],
)
def test_what_timm_does_not_have(name: str, words: str) -> None:
    with pytest.raises(UserError) as refused:
        build_with_weights(f"timm:{name}", "pretrained")
    assert words in str(refused.value)
