"""``cls-kd launch``: a command in several processes, started again when one of them is lost."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from cls_kd.cli.options import positive, seconds
from cls_kd.launches import FOLDER, PROCESSES, ending

EXAMPLES = (
    "cls-kd launch --processes 2 train digits/pair --method kd",
    "cls-kd launch --processes 8 --nodes 2 --node-rank 0 --address 10.0.0.1 train CONFIG",
    "cls-kd launch --processes 8 --nodes 1:2 --node-rank 0 --address 10.0.0.1 train CONFIG",
)

_SHUTDOWN_SECONDS = 120
"""Time in which processes write a checkpoint before they are killed."""
_LOGGERS = ("torch.distributed.elastic", "torch.distributed.run", "torch.distributed.launcher")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--processes", type=positive, default=1, help="on this machine")
    parser.add_argument(
        "--nodes",
        default="1",
        metavar="N or MIN:MAX",
        help="machines; with MIN:MAX training goes on as long as MIN of them are there",
    )
    parser.add_argument("--node-rank", type=int, default=0, help="0 on the machine of --address")
    parser.add_argument(
        "--address", default="127.0.0.1", help="of the first machine; default: %(default)s"
    )
    parser.add_argument("--port", type=int, default=29500, help="default: %(default)s")
    parser.add_argument(
        "--restarts",
        type=int,
        default=3,
        help="how often all processes are started again when one is lost; default: %(default)s",
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=300.0,
        help="longest time that processes wait for each other in a step; default: 5m",
    )
    parser.add_argument("tool", help="train or test; or the path of a script")
    parser.add_argument("words", nargs=argparse.REMAINDER, help="its arguments")


def run(args: argparse.Namespace) -> int:
    """Start the processes, and end as they do."""
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.elastic.rendezvous import RendezvousError
    from torch.distributed.launcher.api import elastic_launch

    _shorten_log()
    smallest, _, largest = args.nodes.partition(":")
    nodes = int(largest or smallest)
    with tempfile.TemporaryDirectory() as folder:
        os.environ[FOLDER] = folder
        os.environ[PROCESSES] = str(nodes * args.processes)
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        # Else restarted processes find the addresses of the lost ones in torch's shared store.
        os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
        launch = elastic_launch(_configuration(args, int(smallest), nodes), sys.executable)
        try:
            launch(*_command(args))
        except SignalException as error:
            return _ended(folder, 128 + error.sigval)
        except ChildFailedError as error:
            _, failure = error.get_first_failure()
            _say(f"a process ended with {_code(failure.exitcode)}; no restart is left.")
            return 1
        except (RendezvousError, ConnectionError, RuntimeError) as error:
            _say(f"the machines did not find each other at {args.address}:{args.port}: {error}")
            return 1
        return _ended(folder, 0)


def _configuration(args: argparse.Namespace, smallest: int, largest: int) -> Any:
    from torch.distributed.launcher.api import LaunchConfig

    return LaunchConfig(
        min_nodes=smallest,
        max_nodes=largest,
        nproc_per_node=args.processes,
        run_id="cls_kd",
        rdzv_backend="c10d",
        rdzv_endpoint=f"{args.address}:{args.port}",
        rdzv_configs={"is_host": args.node_rank == 0, "join_timeout": 2 * int(args.timeout)},
        max_restarts=args.restarts,
        monitor_interval=0.5,
        local_addr=args.address if args.node_rank == 0 else None,
        shutdown_timeout=_SHUTDOWN_SECONDS,
    )


def _command(args: argparse.Namespace) -> list[str]:
    tool = [args.tool] if args.tool.endswith(".py") else ["-m", "cls_kd", args.tool]
    return ["-u", *tool, *args.words, "--launcher", "pytorch", "--timeout", f"{args.timeout:g}s"]


def _ended(folder: str, otherwise: int) -> int:
    code = ending(Path(folder))
    return otherwise if code is None else code


def _code(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _say(text: str) -> None:
    print(f"launch: {text}", file=sys.stderr, flush=True)


def _shorten_log() -> None:
    """One line for each event of torch's launcher, in place of its reports."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_FirstLine("launch: %(message)s"))
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.WARNING)


class _FirstLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        record.exc_info = record.exc_text = None
        return super().format(record).strip().splitlines()[0]
