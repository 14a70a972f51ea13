"""A report as Markdown, HTML and JSON: what it says, and that no name can be more than a name in it."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from pipeledger.model.finding import MISSING, TIMELINESS, VOLUME
from pipeledger.model.health import DAY, Facts, Found, Period, Runs, Stale, Watched
from pipeledger.model.pipeline import PipelineRef
from pipeledger.reporting import words
from pipeledger.reporting.html import html
from pipeledger.reporting.markdown import code, markdown
from pipeledger.reporting.report import Report, assembled

from .ledgers import NOW

HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</style><script>x()</script>",
    "a`b``c", "a|b", "a\\|b", "\\", "`", "[x](https://evil.example)", "![x](https://evil.example)",
    "@everyone", "line\nbreak\r\n# heading", "*bold* _under_ ~~gone~~", "&lt;b&gt; &#64;",
    "https://evil.example/x", "<!-- gone", "\u202egnp.exe", "${7*7} <% x %> {{ 7*7 }}", "]]>", "'\"",
)  # fmt: skip
PERIOD = Period.since(NOW - 6 * DAY, NOW)
VOID = {"meta"}
TAGS = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "small", "div", "figure",
    "figcaption", "svg", "g", "path", "line", "rect", "circle", "text", "span", "i", "table", "thead",
    "tbody", "tr", "th", "td",
}  # fmt: skip


def report_of(*names: str) -> Report:
    """A report of a bad week of pipelines with these names, of types and namespaces of these names."""
    pipelines = [
        Watched(i, PipelineRef(name, name[:100]), name[:100], True, True, True)
        for i, name in enumerate(names)
    ]
    return assembled(
        Facts(
            PERIOD,
            tuple(pipelines),
            {p.id: Runs(10, 6, 2, 1, 1) for p in pipelines},
            {p.id: Runs(10, 10) for p in pipelines},
            {PERIOD.first: (Runs(20, 10, 4, 2, 2), Runs(20, 10, 4, 2, 2))},
            tuple(
                Found(p.id, check, PERIOD.first, 1)
                for p in pipelines
                for check in (TIMELINESS, MISSING, VOLUME)
            ),
            tuple(Stale(p.id, NOW - 2 * DAY, NOW - timedelta(hours=40)) for p in pipelines),
        ),
        NOW,
        names[0][:100] if names else None,
    )


class Page(HTMLParser):
    """The elements of a page, and the text of each."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.open[-1] if self.open else "", data))

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


def assert_harmless(page: Page) -> None:
    assert page.tags <= TAGS
    assert page.open == []
    names = {name for name, _ in page.attributes}
    assert not {
        n for n in names if n.startswith("on") or n in ("href", "src", "style", "xlink:href")
    }
    (style,) = (text for tag, text in page.texts if tag == "style")
    assert "url(" not in style and "@import" not in style


def test_the_page_makes_no_request_and_no_name_is_more_than_text() -> None:
    page = Page(html(report_of(*HOSTILE)))
    assert_harmless(page)
    cells = {text for tag, text in page.texts if tag == "td"}
    for name in HOSTILE:
        shown = words.plain(str(PipelineRef(name, name[:100])))
        assert shown in cells, name
    policy = [v for n, v in page.attributes if n == "content" and "default-src" in v]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]


@given(st.lists(st.text(min_size=1, max_size=30).filter(lambda t: t.strip() and "\x00" not in t)))
def test_a_page_of_any_names_is_whole(names: list[str]) -> None:
    assert_harmless(Page(html(report_of(*names))))


def test_the_page_shows_every_day_every_part_and_the_offenders() -> None:
    page = Page(html(report_of("load", "copy")))
    titles = [text for tag, text in page.texts if tag == "title"]
    assert f"{PERIOD.first}: 10 success, 2 running, 2 skipped, 2 abandoned, 4 failed" not in titles
    assert any(
        t.startswith(f"{PERIOD.first}: 4 failed, 2 abandoned, 2 skipped, 2 running") for t in titles
    )
    assert sum(t.endswith("no run") for t in titles) == PERIOD.length - 1
    assert any(t.startswith("load/load: 7") for t in titles)
    assert {"reliability", "timeliness", "freshness", "volume stability"} <= {
        t for _, t in page.texts
    }
    assert page.tags >= {"svg", "rect", "path", "circle"}


def test_an_empty_report_is_written_too() -> None:
    empty = report_of()
    assert_harmless(Page(html(empty)))
    assert markdown(empty).startswith("# Health of pipelines: – of 100 (–)\n")
    json.dumps(empty.to_json())


def rendered(text: str) -> list[Token]:
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)


def shown_cells(tokens: list[Token]) -> list[str]:
    """What stands in the cells of all tables, as a reader sees it."""
    cells = []
    for before, token in itertools.pairwise(tokens):
        if before.type in ("td_open", "th_open"):
            kinds = {child.type for child in token.children or ()}
            assert kinds <= {"text", "code_inline", "html_inline", "text_special"}, kinds
            inline = [c.content for c in token.children or () if c.type == "html_inline"]
            assert set(inline) <= {"<code>", "</code>"}
            cells.append(
                "".join(c.content for c in token.children or () if c.type != "html_inline")
            )
    return cells


def test_no_name_breaks_a_table_of_markdown_or_becomes_a_link() -> None:
    tokens = rendered(markdown(report_of(*HOSTILE)))
    cells = shown_cells(tokens)
    offenders = [words.plain(str(PipelineRef(n, n[:100]))) for n in HOSTILE]
    assert len(set(cells) & set(offenders)) == 10 == min(10, len(HOSTILE))
    widths = [
        sum(t.type in ("td_open", "th_open") for t in tokens[i : tokens.index(end, i)])
        for i, t in enumerate(tokens)
        if t.type == "tr_open"
        for end in [next(e for e in tokens[i:] if e.type == "tr_close")]
    ]
    assert set(widths) == {4, 5, 9}


@given(st.text(max_size=40))
def test_any_text_is_itself_as_code_in_a_cell(text: str) -> None:
    tokens = rendered(f"| a | b |\n| --- | --- |\n| {code(text)} | end |\n")
    assert shown_cells(tokens) == ["a", "b", words.plain(text), "end"]


def test_markdown_stands_in_columns_as_plain_text_too() -> None:
    tables = re.findall(r"(?:^\|.*\|$\n)+", markdown(report_of("load", "x" * 40)), re.MULTILINE)
    assert len(tables) == 5
    for table in tables:
        assert len({len(line) for line in table.splitlines()}) == 1


def test_markdown_says_what_and_how_much() -> None:
    text = markdown(report_of("load"))
    assert text.splitlines()[0] == "# Health of pipelines: 78.3 of 100 (▼ 21.7)"
    assert "2013-01-07 to 2013-01-13, 7 days; compared with 2012-12-31 to 2013-01-06." in text
    assert "2 of 10 runs failed, 1 abandoned, 1 late, 1 missing, 1 odd, stale for 8h" in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(100.0, "100"), (99.99, "99.9"), (97.46, "97.4"), (0.0, "0.0"), (None, "–"), (28.3, "28.3")],
)
def test_a_score_is_never_rounded_up(value: float | None, shown: str) -> None:
    assert words.score(value) == shown


def test_a_long_report_is_cut_and_says_so() -> None:
    report = report_of(*(f"p{i}" for i in range(600)))
    assert "and 100 more; --format json names them all" in html(report)
    assert "and 590 more; `--format json` names them all" in markdown(report)
    assert len(report.to_json()["pipelines"]) == 600


def test_a_quiet_report_names_no_offender() -> None:
    quiet = report_of("load")
    line = replace(quiet.pipelines[0].line, health=quiet.pipelines[0].line.before)
    quiet = replace(quiet, pipelines=(replace(quiet.pipelines[0], line=line),))
    assert quiet.offenders == []
    assert "Every pipeline has 100 of 100." in markdown(quiet)
    assert "Worst offenders" not in html(quiet)
