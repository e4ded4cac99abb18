"""Filter of the log for the terminal; the log file has all of it."""

from __future__ import annotations

import logging

_ON_TERMINAL = "on_terminal"
# MMEngine's remarks on its own code, and the name of the run before each epoch's first line.
_NEVER_ON_TERMINAL = ('"FileClient" will be', '"HardDiskBackend" is the alias', "Exp name: ")


class TerminalFilter(logging.Filter):
    """Until training starts, lets only warnings and announced lines through.

    Before its first step MMEngine logs the environment, the whole config, the hooks and the
    initialization of every weight: hundreds of lines, which a reader of the terminal does not need.

    Attributes:
        open: Whether every line passes. `open_terminal` sets it when training starts.
    """

    def __init__(self) -> None:
        super().__init__()
        self.open = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Decide if the record is shown."""
        if record.getMessage().startswith(_NEVER_ON_TERMINAL):
            return False
        announced = getattr(record, _ON_TERMINAL, False)
        return self.open or announced or record.levelno >= logging.WARNING


def announce(logger: logging.Logger, text: str) -> None:
    """Log at level INFO what the terminal shows also before training starts."""
    logger.info(text, extra={_ON_TERMINAL: True})


def open_terminal(logger: logging.Logger) -> None:
    """Let every line of the log through to the terminal from now on."""
    for handler in logger.handlers:
        for each in handler.filters:
            if isinstance(each, TerminalFilter):
                each.open = True
