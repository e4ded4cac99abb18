"""Training of a run up to a point within it."""

from __future__ import annotations

from dataclasses import dataclass

from cls_kd.engine.attempt import Outcome, attempt
from cls_kd.engine.event_log import logged_events
from cls_kd.engine.events import EventConsumer, RunEvent, RunStopped, ValidationFinished
from cls_kd.engine.loops import planned_length
from cls_kd.engine.tuning.validation import last_score, metrics_of, moment_of, score
from cls_kd.runs import Run


@dataclass(frozen=True)
class AttemptUntil:
    """An attempt that stops runs after the validation at some point; see ``engine.attempt``.

    It can be pickled, and so be sent to worker processes. What a run builds on is trained whole.

    Attributes:
        length: Epochs (or iterations). A run that is not longer is trained to its end.
    """

    length: int

    def __call__(
        self, run: Run, *, launcher: str = "none", on_event: EventConsumer | None = None
    ) -> Outcome:
        """Attempt the run."""
        is_part = self.length < planned_length(run.cfg.train_cfg)[1]

        def consume(event: RunEvent) -> None:
            if on_event is not None:
                on_event(event)
            if is_part and isinstance(event, ValidationFinished) and event.finished >= self.length:
                raise RunStopped(f"trained up to {event.finished}, as far as was asked for")

        return attempt(run, launcher=launcher, on_event=consume)


def score_at(run: Run, length: int) -> float | None:
    """The validation score of a run at some point; None where it was not trained so far.

    Of a run that ended before by early stopping, it is the last one.

    Args:
        run: Its folder holds its result, or the events of its training.
        length: Epochs (or iterations).
    """
    result = run.result()
    if result is not None:
        entries = [entry for entry in result["val"] if moment_of(entry) == length]
        return score(metrics_of(entries[0])) if entries else last_score(result)
    for event in reversed(logged_events(run.work_dir)):
        if event["event"] == ValidationFinished.__name__ and event["finished"] == length:
            return score(event["metrics"])
    return None
