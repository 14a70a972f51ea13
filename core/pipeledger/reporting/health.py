"""The health of a pipeline, or of many: four shares, and the score they make.

The score is ``100 * (4 * reliability + 2 * timeliness + 2 * freshness + 2 * volume) / 10``: a mean with
weights. A part that is absent counts neither way: its weight leaves the sum above and below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeledger.model.health import ABSENT, NO_RUNS, Runs, Share

WEIGHTS = {"reliability": 4, "timeliness": 2, "freshness": 2, "volume": 2}
"""What each part counts in the score."""


@dataclass(frozen=True, slots=True)
class Health:
    """Counts of a period, and the parts they make.

    ``late``, ``odd``: runs; ``missing``: runs that were expected and did not come in time;
    ``stale_seconds``: for how long data was older than allowed, added up over pipelines.
    """

    runs: Runs = NO_RUNS
    late: int = 0
    missing: int = 0
    odd: int = 0
    stale_seconds: float = 0
    reliability: Share = ABSENT
    timeliness: Share = ABSENT
    freshness: Share = ABSENT
    volume: Share = ABSENT

    @classmethod
    def of(
        cls,
        runs: Runs,
        *,
        late: int = 0,
        missing: int = 0,
        odd: int = 0,
        stale_seconds: float = 0,
        timed: Runs | None,
        watched_seconds: float | None,
        is_volume_watched: bool,
    ) -> Health:
        """Make the parts of what was counted.

        ``timed``: the runs among which the late ones are, None: nobody watched; ``watched_seconds``:
        how long freshness was watched.
        """
        ended = runs.successes + runs.failed
        expected = 0 if timed is None else timed.runs - timed.skipped + missing
        return cls(
            runs,
            late,
            missing,
            odd,
            stale_seconds,
            Share(runs.successes, ended),
            Share.without(late + missing, expected),
            Share.without(stale_seconds, watched_seconds or 0),
            Share.without(odd, runs.successes) if is_volume_watched else ABSENT,
        )

    def __add__(self, other: Health) -> Health:
        return Health(
            self.runs + other.runs,
            self.late + other.late,
            self.missing + other.missing,
            self.odd + other.odd,
            self.stale_seconds + other.stale_seconds,
            self.reliability + other.reliability,
            self.timeliness + other.timeliness,
            self.freshness + other.freshness,
            self.volume + other.volume,
        )

    @property
    def parts(self) -> dict[str, Share]:
        return {name: getattr(self, name) for name in WEIGHTS}

    @property
    def score(self) -> float | None:
        """0 to 100; None where no part is known."""
        return score({name: share.value for name, share in self.parts.items()})

    @property
    def bad(self) -> int:
        """How much there is to look at: runs that failed, were late or odd, and that never came."""
        return self.runs.failed + self.late + self.missing + self.odd

    def to_json(self) -> dict[str, Any]:
        return {
            "score": self.score,
            **{name: share.to_json() for name, share in self.parts.items()},
            **self.runs.to_json(),
            "late": self.late,
            "missing": self.missing,
            "odd": self.odd,
            "stale_seconds": self.stale_seconds,
        }


def score(parts: dict[str, float | None]) -> float | None:
    """The score of parts between 0 and 1, by name; None where all of them are absent."""
    known = {name: value for name, value in parts.items() if value is not None}
    if not known:
        return None
    weight = sum(WEIGHTS[name] for name in known)
    return 100 * sum(WEIGHTS[name] * value for name, value in known.items()) / weight
