"""A health report as one HTML page: no file beside it, no request, no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeledger.reporting import plots, words
from pipeledger.reporting.health import WEIGHTS
from pipeledger.reporting.markup import Child, Element, page, tag
from pipeledger.reporting.report import Line, PipelineLine, Report

MOST_PIPELINES = 500
MOST_GROUPS = 100
MOST_BARS = 10
MOST_FALLEN = 10
_STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --dim: #60656c; --paper: #fff; --rule: #dfe2e6;
  --success: #2f9e62; --failed: #d6363c; --abandoned: #e0912f; --skipped: #a7adb5; --running: #3b82c4;
  --score: #5457cd; --track: #eceef1; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --dim: #a0a6ae; --paper: #16181b;
  --rule: #33383e; --success: #4cc38a; --failed: #f2777a; --abandoned: #f0b35e; --skipped: #6b727b;
  --running: #70b8ff; --score: #a5a8ff; --track: #262a2f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 68rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p { margin: .3rem 0; } .dim, caption { color: var(--dim); font-size: .87rem; }
.big { font-size: 3rem; font-weight: 650; line-height: 1.1; font-variant-numeric: tabular-nums; }
.big small { font-size: 1rem; font-weight: 400; color: var(--dim); }
.plots { display: flex; flex-wrap: wrap; gap: 1rem 2rem; }
figure { margin: 1rem 0 0; flex: 1 1 20rem; max-width: 32rem; } figcaption { font-weight: 600; font-size: .95rem; }
svg { width: 100%; height: auto; display: block; overflow: visible; }
svg text { font: 11px system-ui, sans-serif; fill: var(--ink); } svg .axis { fill: var(--dim); }
svg .end { text-anchor: end; } .grid { stroke: var(--rule); stroke-width: 1; }
.line { fill: none; stroke-width: 2; } .line.score { stroke: var(--score); }
.line.reliability { stroke: var(--success); stroke-dasharray: 4 3; }
.success, circle.reliability { fill: var(--success); } .failed { fill: var(--failed); }
.abandoned { fill: var(--abandoned); } .skipped { fill: var(--skipped); }
.running { fill: var(--running); } circle.score { fill: var(--score); } .track { fill: var(--track); }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .87rem; color: var(--dim); }
.key i { display: inline-block; width: .8em; height: .8em; margin-right: .35em; border-radius: 2px; }
i.success, i.reliability { background: var(--success); } i.failed { background: var(--failed); }
i.abandoned { background: var(--abandoned); } i.skipped { background: var(--skipped); }
i.running { background: var(--running); } i.score { background: var(--score); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--rule); text-align: left;
  vertical-align: top; } th { color: var(--dim); font-weight: 500; white-space: nowrap; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td.name { overflow-wrap: anywhere; min-width: 9rem; } td.about { min-width: 15rem; }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def html(report: Report) -> str:
    """The page, as text to be stored as UTF-8."""
    total, health = report.total, report.total.health
    body = tag(
        "body",
        tag("h1", "Health of pipelines"),
        tag("p", words.period(report), class_="dim"),
        tag(
            "p",
            words.score(health.score),
            tag("small", f" of 100 {words.change(total)}"),
            class_="big",
        ),
        tag(
            "p",
            f"{words.pipelines(report)}; {words.counted(health.runs.runs, 'run')}:"
            f" {words.why(health)}.",
        ),
        tag("h2", "What the score is made of"),
        _parts(total),
        _plots(report),
        *_fallen(report),
        *_groups("By namespace", "namespace", report.namespaces),
        *_groups("By type", "type", report.types),
        *_pipelines(report),
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("title", f"Health of pipelines: {words.score(health.score)} of 100"),
        tag("style", _STYLE),
    )
    return page(tag("html", head, body, lang="en"))


def _parts(total: Line) -> Element:
    weights = sum(WEIGHTS[name] for name, share in total.health.parts.items() if share.of > 0)
    rows = []
    for name, share in total.health.parts.items():
        weight = f"{WEIGHTS[name]} of {weights}" if share.of > 0 else words.ABSENT
        rows.append(
            [
                words.PARTS[name],
                words.share(share),
                words.share(total.before.parts[name]),
                weight,
                words.of(share, name),
                words.MEANINGS[name],
            ]
        )
    return _table(("part", "share", "before", "weight", "of", "meaning"), "nrrrra", rows)


def _plots(report: Report) -> Element:
    figures = [
        tag(
            "figure",
            tag("figcaption", "Score and reliability per day"),
            plots.trend(report.days),
            _key("score", "reliability"),
        ),
        tag(
            "figure",
            tag("figcaption", "Runs per day by state"),
            plots.runs(report.days),
            _key(*reversed(plots.STATES)),
        ),
    ]
    if report.offenders:
        figures.append(
            tag(
                "figure",
                tag("figcaption", "Worst offenders: points below 100"),
                plots.offenders(report.offenders[:MOST_BARS]),
            )
        )
    return tag("div", *figures, class_="plots")


def _key(*names: str) -> Element:
    return tag("div", *(tag("span", tag("i", class_=name), name) for name in names), class_="key")


def _fallen(report: Report) -> list[Child]:
    fallen = report.fallen
    if not fallen:
        return []
    return [
        tag("h2", "Fell most since the period before"),
        _table(
            ("pipeline", "score", "change", "why"),
            "nrra",
            [
                [
                    words.name(p),
                    words.score(p.line.health.score),
                    words.change(p.line),
                    words.why(p.line.health),
                ]
                for p in fallen[:MOST_FALLEN]
            ],
        ),
        *_more(len(fallen) - MOST_FALLEN),
    ]


def _groups(title: str, what: str, groups: Mapping[str, Line]) -> list[Child]:
    if not groups:
        return []
    rows = [[words.plain(name), *_figures(line)] for name, line in groups.items()]
    return [
        tag("h2", title),
        _table((what, *_TITLES), "n" + "r" * len(_TITLES), rows[:MOST_GROUPS]),
        *_more(len(rows) - MOST_GROUPS),
    ]


def _pipelines(report: Report) -> list[Child]:
    shown: Sequence[PipelineLine] = report.pipelines[:MOST_PIPELINES]
    if not shown:
        return []
    rows = [
        [words.name(p), words.plain(p.type or ""), *_figures(p.line), words.why(p.line.health)]
        for p in shown
    ]
    return [
        tag("h2", "Pipelines, the lowest score first"),
        _table(("pipeline", "type", *_TITLES, "why"), "nt" + "r" * len(_TITLES) + "a", rows),
        *_more(len(report.pipelines) - MOST_PIPELINES),
    ]


_TITLES = ("score", "change", "runs", "failed", *words.PARTS.values())


def _figures(line: Line) -> list[str]:
    return [
        words.score(line.health.score),
        words.change(line),
        f"{line.health.runs.runs:,}",
        f"{line.health.runs.failed:,}",
        *(words.share(share) for share in line.health.parts.values()),
    ]


def _more(number: int) -> list[Child]:
    if number <= 0:
        return []
    return [tag("p", f"and {number:,} more; --format json names them all", class_="dim")]


def _table(titles: Sequence[str], kinds: str, rows: Sequence[Sequence[str]]) -> Element:
    """``kinds``, of each column: n a name, t a word, a a sentence about it, r a number."""
    classes = [{"n": "name", "a": "about", "r": "number"}.get(kind, "text") for kind in kinds]
    return tag(
        "div",
        tag(
            "table",
            tag(
                "thead",
                tag(
                    "tr",
                    *(
                        tag("th", t, class_=c, scope="col")
                        for t, c in zip(titles, classes, strict=True)
                    ),
                ),
            ),
            tag(
                "tbody",
                *(
                    tag("tr", *(tag("td", t, class_=c) for t, c in zip(row, classes, strict=True)))
                    for row in rows
                ),
            ),
        ),
        class_="scroll",
    )
