"""What cls_kd is and what it needs. The exact versions that are tested are in requirements.txt."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"$', (HERE / "cls_kd/__init__.py").read_text(), re.M)[1]

# The import packages mmengine, mmcv and mmpretrain are published under two sets of names:
# OpenMMLab's (mmengine, mmcv or mmcv-lite, mmpretrain) and the maintained fork's (onedl-*). cls_kd
# runs on either, but a requirement cannot say "this one or that", and pip sees no conflict: with
# both in one environment, each overwrites the other's files. So the fork is required here, and who
# has the stock packages installs this one with `pip install --no-deps -e .`
FORK = ["onedl-mmengine>=0.10.12", "onedl-mmcv>=2.3.6", "onedl-mmpretrain>=1.3.6"]

setup(
    name="cls_kd",
    version=VERSION,
    description="Config-driven knowledge distillation for image classification",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The cls_kd authors",
    license="Apache-2.0",
    license_files=["LICENSE"],
    packages=find_packages(include=["cls_kd", "cls_kd.*"]),
    # The configs, by the link cls_kd/configs: a config elsewhere inherits from cls_kd.configs.
    package_data={"cls_kd": ["configs/**/*.py", "configs/**/*.yml"]},
    python_requires=">=3.10",
    # The lower bounds are the first releases for numpy 2, where nothing else sets them.
    install_requires=[
        "torch>=2.6",
        "torchvision>=0.21",
        *FORK,
        "matplotlib>=3.9",
        "numpy>=2",
        "pandas>=2.2",
        "rich>=13",
        "safetensors>=0.4.3",
        "scipy>=1.13",
        "torchmetrics>=1.4",
    ],
    extras_require={
        "digits": ["scikit-learn>=1.5"],  # the data of configs/digits
        "export": ["torch>=2.8", "onnx>=1.19", "onnxruntime>=1.20", "onnxscript>=0.7"],
        "mlflow": ["mlflow>=2.9"],  # a recipe of docs/recipes.md
        "wandb": ["wandb>=0.16"],  # likewise
        "timm": ["timm>=1.0.20"],  # networks from timm
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
