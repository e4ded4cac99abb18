"""``python -m cls_kd`` is the command ``cls-kd``."""

from cls_kd.cli import main

if __name__ == "__main__":
    main()
