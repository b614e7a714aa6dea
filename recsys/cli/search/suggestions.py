"""`recsys search suggestions`: words that are never suggested."""

from typing import Annotated

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import print_rows
from recsys.cli.search.editing import Remark, open_editing, print_changes, print_saved

Words = Annotated[list[str], typer.Argument(help="Words or phrases; quote a phrase.")]
app = typer.Typer(no_args_is_help=True, help="Suggestions: words that they never have.")


def register(group: typer.Typer) -> None:
    """Adds `suggestions` to `recsys search`."""
    group.add_typer(app, name="suggestions")


@app.command("list")
def list_hidden(as_json: AsJson = False) -> None:
    """List the words that no suggestion has.

    \b
    Example:
      recsys search suggestions list
    """
    hidden = open_editing().load().hidden
    print_rows([{"text": each.text, "version": each.version} for each in hidden], as_json=as_json)


@app.command()
def hide(words: Words, remark: Remark = "", as_json: AsJson = False) -> None:
    """Keep words or phrases out of all suggestions: queries, categories and items.

    A word is hidden in any inflection, a Chinese text wherever it occurs. Searches still find them.

    \b
    Example:
      recsys search suggestions hide gun "water pipe" 赌博 --remark "not in this shop"
    """
    print_saved(open_editing().hide(words, remark), as_json)


@app.command()
def unhide(words: Words, remark: Remark = "", as_json: AsJson = False) -> None:
    """Let words or phrases be suggested again.

    \b
    Example:
      recsys search suggestions unhide gun
    """
    print_saved(open_editing().unhide(words, remark), as_json)


@app.command()
def history(
    text: Annotated[str | None, typer.Argument(help="A hidden word. Default: all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell who hid which word and when.

    \b
    Example:
      recsys search suggestions history
    """
    print_changes(open_editing().history("hidden", text), as_json)
