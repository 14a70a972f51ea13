"""A health report as Markdown, to paste into a pull request or a chat, and to read in a terminal.

Names are shown as code, where no name is a link, a mention, a picture or a cell's end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pipeledger.reporting import words
from pipeledger.reporting.report import Line, PipelineLine, Report

MOST_OFFENDERS = 10
MOST_FALLEN = 5
MOST_GROUPS = 20


def markdown(report: Report) -> str:
    """The report's text, which ends with a newline."""
    return "\n".join(_lines(report)) + "\n"


def code(text: str) -> str:
    """The text as inline code, in a table's cell too, whatever it holds."""
    text = words.plain(text)
    if not any(c in text for c in "`|"):
        return f"`{text}`"
    escaped = "".join(c if c.isalnum() or c in " ._-/" else f"&#{ord(c)};" for c in text)
    return f"<code>{escaped}</code>"


def _lines(report: Report) -> Iterator[str]:
    total = report.total
    health = total.health
    yield f"# Health of pipelines: {words.score(health.score)} of 100 ({words.change(total)})"
    yield ""
    yield words.period(report)
    about = words.counted(len(report.pipelines), "pipeline")
    if report.namespace is not None:
        about += f" of namespace {code(report.namespace)}"
    if report.silent:
        about += f", {report.silent:,} more without a run"
    yield f"{about}; {words.counted(health.runs.runs, 'run')}: {words.why(health)}."
    yield ""
    yield from _table(
        ("part", "share", "before", "of", "meaning"),
        "lrrrl",
        [
            (
                words.PARTS[name],
                words.share(share),
                words.share(total.before.parts[name]),
                words.of(share, name),
                words.MEANINGS[name],
            )
            for name, share in health.parts.items()
        ],
    )
    yield from _offenders(report)
    yield from _groups("By namespace", "namespace", report.namespaces)
    yield from _groups("By type", "type", report.types)


def _offenders(report: Report) -> Iterator[str]:
    worst, fallen = report.offenders, report.fallen
    if worst:
        yield from _pipelines("Worst offenders", worst[:MOST_OFFENDERS])
        yield from _more(len(worst) - MOST_OFFENDERS)
    elif report.pipelines:
        yield from ("", "Every pipeline has 100 of 100.")
    if fallen:
        yield from _pipelines("Fell most since the period before", fallen[:MOST_FALLEN])
        yield from _more(len(fallen) - MOST_FALLEN)


def _pipelines(title: str, lines: Sequence[PipelineLine]) -> Iterator[str]:
    yield from ("", f"## {title}", "")
    yield from _table(
        ("pipeline", "score", "change", "why"),
        "lrrl",
        [
            (
                code(words.name(p)),
                words.score(p.line.health.score),
                words.change(p.line),
                words.why(p.line.health),
            )
            for p in lines
        ],
    )


def _groups(title: str, what: str, groups: Mapping[str, Line]) -> Iterator[str]:
    if not groups:
        return
    yield from ("", f"## {title}", "")
    yield from _table(
        (what, "score", "change", "runs", "failed", *words.PARTS.values()),
        "lrrrrrrrr",
        [
            (
                code(name),
                words.score(line.health.score),
                words.change(line),
                f"{line.health.runs.runs:,}",
                f"{line.health.runs.failed:,}",
                *(words.share(share) for share in line.health.parts.values()),
            )
            for name, line in list(groups.items())[:MOST_GROUPS]
        ],
    )
    yield from _more(len(groups) - MOST_GROUPS)


def _more(number: int) -> Iterator[str]:
    if number > 0:
        yield from ("", f"and {number:,} more; `--format json` names them all")


def _table(titles: Sequence[str], sides: str, rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table whose columns stand below each other in plain text, too. ``sides``: l or r each."""
    widths = [max(len(row[i]) for row in [titles, *rows]) for i in range(len(titles))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.ljust(width) if side == "l" else cell.rjust(width)
            for cell, width, side in zip(cells, widths, sides, strict=True)
        )
        return f"| {' | '.join(padded)} |"

    yield line(titles)
    rules = (
        "-" * width if side == "l" else "-" * (width - 1) + ":"
        for width, side in zip(widths, sides, strict=True)
    )
    yield f"| {' | '.join(rules)} |"
    for row in rows:
        yield line(row)
