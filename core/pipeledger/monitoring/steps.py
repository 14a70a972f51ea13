"""The steps of a round: each calls what the command of its name calls, and says what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from pipeledger import alerts
from pipeledger.housekeeping import address_closure, duration
from pipeledger.housekeeping.prune import prune
from pipeledger.housekeeping.reap import Abandoned, reap
from pipeledger.housekeeping.session import in_transaction, session
from pipeledger.model import times
from pipeledger.model.errors import LedgerUnavailable, SchemaMismatch
from pipeledger.model.finding import Finding
from pipeledger.monitoring import probes
from pipeledger.monitoring import round as rounds
from pipeledger.monitoring.check import Checked, check
from pipeledger.monitoring.configuration import Configuration
from pipeledger.monitoring.probes import Probed
from pipeledger.monitoring.round import Done, Plan
from pipeledger.monitoring.words import counted, when
from pipeledger.recording.delivery import Delivered
from pipeledger.store import findings
from pipeledger.store.database import Database

MOST_LINES = 50
"""Of one step; a log is read from the end, and findings are kept in the ledger."""
PRUNED_EVERY = timedelta(days=1)


class Ledger(probes.Ledger, Protocol):
    """What a round needs of the ledger."""

    database: Database

    def flush(self) -> Delivered: ...


def deliver(ledger: Ledger, plan: Plan, now: datetime | None) -> Done:
    """What the processes of this host left in the spool; other hosts' spools are theirs to deliver."""
    done = ledger.flush()
    said = f"{counted(done.reports, 'record')} of this host delivered"
    if done.rejected:
        said += f", {done.rejected} refused and set aside"
    facts = {"delivered": done.reports, "rejected": done.rejected}
    return Done(said, facts=facts, error=done.error)


def give_up(ledger: Ledger, plan: Plan, now: datetime | None) -> Done:
    """Runs that nobody will end."""
    given_up: list[Abandoned] = []
    count = reap(
        ledger.database,
        older_than=duration.parse(str(plan.reap_older_than), "reap_older_than"),
        silent_for=duration.parse(plan.reap_silent_for, "reap_silent_for"),
        found=given_up.append,
        now=now,
    )
    lines = [f"{a.pipeline or a.run_key}: {a.detail}" for a in given_up]
    return Done(f"{counted(count, 'run')} given up", _some(lines), {"abandoned": count})


def ask(ledger: Ledger, plan: Plan, now: datetime | None) -> Done:
    """Tables that no pipeline reports on. What did not answer is a failed run that `check` finds."""
    asked: list[Probed] = []
    broken = {}
    for probe in Configuration.read(ledger.settings.config).probes:
        try:
            asked.append(probes.run(ledger, probe))
        except Exception as error:
            broken[probe.name] = rounds.reason(probe.name, error)
    silent = sum(1 for one in asked if one.error is not None)
    said = f"{counted(len(asked), 'table')} asked" if asked or broken else "no probe is configured"
    if silent:
        said += f", {silent} without an answer"
    facts = {"asked": len(asked), "silent": silent}
    return Done(said, _some([_answer(one) for one in asked]), facts, rounds.together(broken))


def look(ledger: Ledger, plan: Plan, now: datetime | None) -> Done:
    """What is late, missing, failed, held back, stale, changed or odd."""
    looked: list[Checked] = []
    found: list[Finding] = []
    broken = {}
    for name in plan.checks or ():
        try:
            each = check(ledger.database, [name], now=now)
        except (LedgerUnavailable, SchemaMismatch):
            raise  # the others would wait for the same
        except Exception as error:
            broken[name] = rounds.reason(name, error)
            continue
        looked += each.checks
        found += each.open
    found.sort(key=lambda finding: -finding.severity.rank)
    said = f"{counted(len(found), 'finding')} open" if found else "nothing is open"
    not_looked = [f"{c.check} did not look: {c.skipped}" for c in looked if c.skipped]
    lines = _some([*not_looked, *map(_finding, found)])
    facts = {"open": len(found), "checks": [c.to_json() for c in looked]}
    return Done(said, lines, facts, rounds.together(broken))


def tell(ledger: Ledger, plan: Plan, now: datetime | None) -> Done:
    """Alerts to people."""
    configuration = Configuration.read(ledger.settings.config)
    if not configuration.routes:
        return Done("no route is configured", facts={"sent": 0, "failed": 0})
    sent = alerts.send(ledger.database, configuration, now=now)
    lines = [
        f"{told.route}: {told.message.title if told.message else told.event}" for told in sent.sent
    ]
    return Done(
        f"{counted(len(sent.sent), 'message')} sent",
        _some(lines),
        {"sent": len(sent.sent), "failed": len(sent.failed)},
        rounds.together({f"route {told.route}": told.error or "" for told in sent.failed}),
    )


def delete(ledger: Ledger, plan: Plan, now: datetime | None) -> Done:
    """Old runs, once a day: a pass looks at every old run that stays as well."""
    moment = now or times.now()
    with session(ledger.database) as connection:
        last = in_transaction(connection, lambda c: findings.seen(c, rounds.PRUNE)).at
        if last is not None and last + PRUNED_EVERY > moment:
            after = when(last + PRUNED_EVERY)
            return Done(f"done at {when(last)}, again after {after}", facts={"executions": 0})
        older_than = duration.parse(str(plan.prune_older_than), "prune_older_than")
        done = prune(ledger.database, older_than=older_than, now=now)
        address_closure.refresh(ledger.database, now=now)
        in_transaction(
            connection,
            lambda c: findings.save(
                c, rounds.PRUNE, (), at=moment, checked=done.executions, state={}
            ),
        )
    said = f"{counted(done.executions, 'run')} in {counted(done.trees, 'tree')} deleted"
    return Done(said, facts=done.to_json())


Work = Callable[[Ledger, Plan, datetime | None], Done]
WORK: Mapping[str, Work] = {
    rounds.SPOOL: deliver,
    rounds.REAP: give_up,
    rounds.PROBES: ask,
    rounds.CHECK: look,
    rounds.ALERTS: tell,
    rounds.PRUNE: delete,
}


def _some(lines: Sequence[str]) -> tuple[str, ...]:
    more = len(lines) - MOST_LINES
    return tuple(lines[:MOST_LINES]) + ((f"and {more} more",) if more > 0 else ())


def _finding(finding: Finding) -> str:
    check = f"{finding.check} {finding.metric}".rstrip()
    return f"{finding.severity.value}: {check} of {finding.subject_name}: {finding.message}"


def _answer(done: Probed) -> str:
    if done.error is not None:
        return f"{done.probe.address}: {done.error}"
    count = "" if done.count is None else counted(done.count, "row")
    newest = "" if done.newest is None else f"newest of {when(done.newest)}"
    return f"{done.probe.address}: {', '.join(part for part in (count, newest) if part)}"
