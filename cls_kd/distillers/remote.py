"""Weights from the network: fetched once, and where that fails, what to do instead."""

from __future__ import annotations

import re
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch

from cls_kd.downloads import wait_for
from cls_kd.errors import UserError, did_you_mean

_HASH = re.compile(r"-([a-f0-9]{8,})\.")
"""The beginning of a file's SHA-256 in its name, as PyTorch's and OpenMMLab's files have it."""


_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
"""Hosts to which a connection passes no network."""


def cached_file(url: str) -> Path:
    """Where a file from the network is kept: in PyTorch's cache, under its own name."""
    return Path(torch.hub.get_dir(), "checkpoints", Path(urlparse(url).path).name)


def fetch(url: str) -> Path:
    """Download a checkpoint, unless it is in the cache.

    One process of each machine downloads; the others wait for the file.

    Raises:
        UserError: The download failed, or would not be encrypted; the message says why, and what
            to do instead.
    """
    cached = cached_file(url)
    _check_encrypted(url, cached)
    try:
        wait_for(cached.is_file, url)
        if not cached.is_file():
            cached.parent.mkdir(parents=True, exist_ok=True)
            named = _HASH.search(cached.name)
            # Written under another name, and renamed when it is whole.
            torch.hub.download_url_to_file(url, str(cached), named[1] if named else None)
    except (OSError, ValueError, RuntimeError, HTTPException) as error:
        raise UserError(
            f"The checkpoint {url} could not be downloaded: {reason(error)}. Download it by hand "
            "and give the path of the file in place of the URL or of 'pretrained', such as "
            f"weights='path/to/{cached.name}'; or put it at {cached}, where it is looked for first."
        ) from None
    return cached


def _check_encrypted(url: str, cached: Path) -> None:
    parts = urlparse(url)
    if parts.scheme != "https" and parts.hostname not in _THIS_MACHINE and not cached.is_file():
        raise UserError(
            f"The checkpoint {url} was not downloaded: anybody on the way could put another "
            "file in its place. Give its https:// URL; or download it, compare its checksum with "
            "the published one, and give its path."
        )


def timm_failure(name: str, error: BaseException, advice: str = "") -> UserError:
    """The error for a network that timm could not build with its published weights.

    Args:
        name: Of the network, as timm knows it.
        error: What timm raised.
        advice: Added to the message; ``{mean}`` and ``{std}`` stand for what timm states.
    """
    from timm.models import get_pretrained_cfg, list_models

    if ":" in name:
        source = name.removeprefix("hf-hub:")
        address = f"https://huggingface.co/{source}" if source != name else name
        return UserError(
            f"The network {name!r} could not be loaded from {address}: {reason(error)}."
        )

    architecture = name.partition(".")[0]
    published = list_models(f"{architecture}.*", pretrained=True)
    if not published or ("." in name and name not in published):
        return UserError(f"timm publishes no weights {name!r}.{did_you_mean(name, published)}")
    published_config: Any = get_pretrained_cfg(name)
    config = published_config.to_dict()
    repository, url = config.get("hf_hub_id"), config.get("url")
    source = f"https://huggingface.co/{repository}" if repository else url
    mean, std = ([round(255 * value, 3) for value in config[key]] for key in ("mean", "std"))
    return UserError(
        f"timm's published weights of {name!r} could not be loaded from {source}: "
        f"{reason(error)}. Without a connection to it, download the file by hand"
        f"{' (model.safetensors)' if repository else ''} and give its path: weights='path/to/file'."
        f"{advice.format(mean=mean, std=std)}"
    )


def reason(error: BaseException) -> str:
    """The first line of an error, with its kind where it says little."""
    lines = str(error).strip().rstrip(".").splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
