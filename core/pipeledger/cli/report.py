"""``pipeledger report``"""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeledger.cli.context import Context
from pipeledger.model.errors import InvalidInput

if TYPE_CHECKING:
    from pipeledger.reporting.report import Report


class Format(str, Enum):
    """How a report is written."""

    MD = "md"
    HTML = "html"
    JSON = "json"


def show_report(
    context: typer.Context,
    since: Annotated[
        str, typer.Option(help="From the day of: 7d, 4w, or a date. Whole days of UTC.")
    ] = "30d",
    format_: Annotated[
        Format, typer.Option("--format", help="Markdown, one HTML page, or JSON.")
    ] = Format.MD,
    output: Annotated[
        Path | None, typer.Option(help="Write it to this file; else it is printed.")
    ] = None,
    namespace: Annotated[str | None, typer.Option(help="Only this namespace.")] = None,
) -> None:
    """Report how reliable, timely, fresh and steady pipelines were, with a score, and before."""
    from pipeledger.cli.runs import since_of
    from pipeledger.model import times
    from pipeledger.reporting.report import report

    cli = Context.of(context)
    made = report(cli.reader, since_of(since), times.now(), namespace or cli.namespace)
    text = _written(made, format_)
    if output is None:
        print(text, end="")
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(
            f"--output {str(output)!r} cannot be written ({error.strerror}): name a file in a folder"
            " that is there and that you may write to"
        ) from None
    print(f"{output}: {len(text.encode()):,} bytes")


def _written(report: Report, format_: Format) -> str:
    if format_ is Format.JSON:
        return json.dumps({"report": report.to_json()}, indent=2, ensure_ascii=False) + "\n"
    if format_ is Format.HTML:
        from pipeledger.reporting.html import html

        return html(report)
    from pipeledger.reporting.markdown import markdown

    return markdown(report)
