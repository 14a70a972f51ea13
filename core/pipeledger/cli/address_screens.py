"""Screens of addresses, as values that rich renders."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from pipeledger.cli import figures
from pipeledger.cli.columns import Column, Columns, Row
from pipeledger.model.address_view import AddressUse, AddressView, ColumnSpan
from pipeledger.model.views import Page
from pipeledger.store.read.addresses import FoundAddress


def found(page: Page[FoundAddress]) -> RenderableType:
    """Addresses with their type, users and other names."""
    if not page.items:
        return Text("no addresses", "dim")
    columns = (
        Column("address", shrink=True, give=0.4),
        Column("type", drop=3),
        Column("writers", right=True, drop=1),
        Column("readers", right=True, drop=1),
        Column("other names", shrink=True, give=0.5, drop=2),
    )
    rows = [
        Row(
            (
                Text(str(item.address)),
                Text(item.address.type_name, "dim"),
                Text(figures.count(item.writers) if item.writers else ""),
                Text(figures.count(item.readers) if item.readers else ""),
                Text(", ".join(str(a) for a in item.aliases), "dim"),
            )
        )
        for item in page
    ]
    parts: list[RenderableType] = [Columns(columns, rows)]
    if page.next_cursor is not None:
        more = f"more: --cursor {page.next_cursor}"
        parts.append(Text(more, "dim", no_wrap=True, overflow="ignore"))
    return Group(*parts)


def address(view: AddressView) -> RenderableType:
    """One address: what it is, who uses it, its columns now, and what they were."""
    head = Text(str(view.address), "bold", overflow="fold")
    facts = Text(overflow="fold")
    last = ""
    for what, text in _facts(view):
        facts.append(f"  {'' if what == last else what:<13}", "dim")
        facts.append(text + "\n")
        last = what
    facts.rstrip()
    parts: list[RenderableType] = [head, facts]
    if view.columns:
        parts += [Text(""), Text("columns", "dim"), _columns(view.columns, view)]
    past = [span for span in view.history if span.ended_at is not None]
    if past:
        parts += [Text(""), Text("before", "dim"), _columns(past, view)]
    return Group(*parts)


def _facts(view: AddressView) -> list[tuple[str, str]]:
    facts = [("type", f"{view.address.type_name} ({view.address.group_name})")]
    facts += [("also", str(alias)) for alias in view.aliases]
    facts += [("written by", _use(use)) for use in view.writers]
    facts += [("read by", _use(use)) for use in view.readers]
    run = view.last_written_by
    if run is not None:
        when = run.ended_at or run.started_at
        facts.append(
            ("last written", f"{figures.moment(when)} UTC by {run.name} ({run.state.value})")
        )
    return facts


def _use(use: AddressUse) -> str:
    said = " and ".join(use.origins)
    return f"{use.pipeline} ({said}, last seen {figures.moment(use.last_seen_at)} UTC)"


def _columns(spans: Sequence[ColumnSpan], view: AddressView) -> RenderableType:
    several = len({span.address.key for span in view.history}) > 1
    columns = (
        Column("", right=True),
        Column("column", shrink=True, give=0.3),
        Column("type", shrink=True, give=0.3),
        Column("from (UTC)", drop=2),
        Column("to (UTC)", drop=1),
        Column("reported as", shrink=True, drop=3),
    )
    rows = [
        Row(
            (
                Text(str(span.ordinal), "dim"),
                Text(span.name),
                Text(span.type or "", "dim"),
                Text(figures.moment(span.began_at), "dim"),
                Text("" if span.ended_at is None else figures.moment(span.ended_at), "dim"),
                Text(str(span.address) if several else "", "dim"),
            )
        )
        for span in spans
    ]
    return Columns(columns, rows, indent=2)
