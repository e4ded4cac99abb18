"""Checks the tree before a build; the metadata are in pyproject.toml."""

from pathlib import Path

from setuptools import setup

# cls_kd/configs is a link to configs. Where git does not create links (core.symlinks=false) it is
# a text file, and a wheel would be built without any config and without any message.
if not (Path(__file__).parent / "cls_kd" / "configs" / "_base_").is_dir():
    raise SystemExit(
        "cls_kd/configs is not a link to configs: the package would be built without its configs. "
        "Check out with links (git config core.symlinks true; git checkout -- cls_kd/configs), or "
        "copy the folder configs to cls_kd/configs."
    )

setup()
