"""``pipeledger names``: the naming rule of a namespace, and the check for CI."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeledger.cli.context import Context, print_json

app = typer.Typer(
    help="Naming rules of namespaces: check, set.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def check(
    context: typer.Context,
    namespace: Annotated[str | None, typer.Option(help="Only this namespace.")] = None,
    as_json: Json = False,
) -> None:
    """List the pipelines whose names do not follow their namespace's rule; exit code 1 if any."""
    from pipeledger.housekeeping import naming
    from pipeledger.store.database import Database

    cli = Context.of(context)
    rules, offenders = naming.check(Database.parse(cli.url), namespace or cli.namespace)
    if as_json:
        print_json(
            {
                "rules": [{"namespace": space, "pattern": r.pattern} for space, r in rules],
                "offenders": [
                    {"namespace": ref.namespace, "pipeline": ref.name, "pattern": rule.pattern}
                    for ref, rule in offenders
                ],
            }
        )
    elif not rules:
        print("no namespace has a naming rule (`pipeledger names rule` sets one)")
    elif not offenders:
        print("every pipeline's name follows its namespace's rule")
    for ref, rule in [] if as_json else offenders:
        print(f"{ref} does not match {rule.pattern}")
    if offenders:
        raise typer.Exit(1)


@app.command()
def rule(
    context: typer.Context,
    namespace: Annotated[str, typer.Argument(help="The namespace.")],
    pattern: Annotated[
        str | None,
        typer.Argument(
            help="A regular expression that names match in full; without it the rule is shown."
        ),
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Take the rule away.")] = False,
    as_json: Json = False,
) -> None:
    """Show or set the rule that names of new pipelines in a namespace have to follow.

    What breaks the rule is refused when it is registered; its runs are recorded all the same.
    """
    from pipeledger.housekeeping import naming
    from pipeledger.store.database import Database

    if none and pattern is not None:
        raise typer.BadParameter("give a pattern or --none, not both")
    database = Database.parse(Context.of(context).url)
    if none or pattern is not None:
        naming.set_rule(database, namespace, pattern)
        found = pattern
    else:
        rules, _ = naming.check(database, namespace)
        found = next((r.pattern for _, r in rules), None)
    if as_json:
        print_json({"namespace": namespace, "pattern": found})
    else:
        says = "any name is taken" if found is None else f"names match {found}"
        print(f"namespace {namespace}: {says}")
