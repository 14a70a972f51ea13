"""``pipeledger watermark``: where a pipeline stands, and putting it elsewhere."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeledger.cli.context import Context, print_json

app = typer.Typer(
    help="How far a pipeline has got: show, set, rewind.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Pipeline = Annotated[str, typer.Argument(help="The pipeline's name.")]
Namespace = Annotated[str | None, typer.Option(help="The pipeline's namespace.")]
Partition = Annotated[str, typer.Option(help="The partition key.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept in the history.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("show")
def show_watermark(
    context: typer.Context, pipeline: Pipeline, namespace: Namespace = None, as_json: Json = False
) -> None:
    """Show how far a pipeline has got, and which window holds it back."""
    cli = Context.of(context)
    shown = cli.reader.watermarks(cli.pipeline(pipeline, namespace))

    def screen() -> object:
        from pipeledger.cli import render

        return render.watermarks(shown)

    cli.show(as_json, lambda: {"watermarks": [w.to_json() for w in shown]}, screen)


@app.command("history")
def show_history(
    context: typer.Context,
    pipeline: Pipeline,
    partition: Annotated[str | None, typer.Option(help="Only this partition key.")] = None,
    namespace: Namespace = None,
    limit: Annotated[int, typer.Option(help="How many to show, 1 to 10000.")] = 25,
    cursor: Annotated[
        str | None, typer.Option(help="Where to go on: the next_cursor of the page before.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show every move of a watermark with its cause, the latest first."""
    cli = Context.of(context)
    ref = cli.pipeline(pipeline, namespace)
    page = cli.reader.watermark_history(ref, partition_key=partition, limit=limit, cursor=cursor)

    def screen() -> object:
        from pipeledger.cli import render

        return render.watermark_history(page)

    cli.show(
        as_json,
        lambda: {"moves": [m.to_json() for m in page], "next_cursor": page.next_cursor},
        screen,
    )


@app.command("set")
def set_watermark(
    context: typer.Context,
    pipeline: Pipeline,
    value: Annotated[str, typer.Argument(help="A whole number, a date or time, or text.")],
    reason: Reason,
    partition: Partition = "",
    namespace: Namespace = None,
    as_json: Json = False,
) -> None:
    """Put a watermark forward; windows issued before do not move it any more."""
    _move(context, pipeline, value, "set", reason, partition, namespace, as_json)


@app.command("rewind")
def rewind_watermark(
    context: typer.Context,
    pipeline: Pipeline,
    reason: Reason,
    value: Annotated[
        str | None, typer.Argument(help="A whole number, a date or time, or text.")
    ] = None,
    beginning: Annotated[
        bool,
        typer.Option("--beginning", help="Back to the beginning: the next window is everything."),
    ] = False,
    partition: Partition = "",
    namespace: Namespace = None,
    as_json: Json = False,
) -> None:
    """Put a watermark back, so that the data after it is loaded again."""
    if (value is None) != beginning:
        raise typer.BadParameter("name a VALUE to go back to, or --beginning")
    _move(context, pipeline, value, "rewind", reason, partition, namespace, as_json)


def _move(
    context: typer.Context,
    pipeline: str,
    value: str | None,
    cause: str,
    reason: str,
    partition: str,
    namespace: str | None,
    as_json: bool,
) -> None:
    cli = Context.of(context)
    if not reason.strip():
        raise typer.BadParameter("--reason says nothing")
    ref = cli.pipeline(pipeline, namespace)
    before = next(
        (w.value for w in cli.reader.watermarks(ref) if w.partition_key == partition), None
    )
    move = cli.ledger.set_watermark if cause == "set" else cli.ledger.rewind_watermark
    after = move(ref, value, reason=reason, partition_key=partition)
    text = None if after.value is None else after.value.text
    if as_json:
        print_json(
            {
                "namespace": ref.namespace,
                "pipeline": ref.name,
                "partition_key": partition,
                "old_value": before,
                "new_value": text,
                "epoch": after.epoch,
            }
        )
        return
    where = f" [{partition}]" if partition else ""
    print(
        f"{ref}{where}: {before or 'no watermark'} -> {text or 'the beginning'} ({cause}: {reason})"
    )
