"""Where the command speaks: data on stdout, talk on stderr, so that output can be piped."""

from rich.console import Console
from rich.text import Text

from connectors.errors import LakehouseError

talk = Console(stderr=True, highlight=False)
data = Console(highlight=False, soft_wrap=True)


def print_error(error: LakehouseError) -> None:
    """Says what went wrong, and what to do about it on a line of its own."""
    talk.print(Text.assemble(("error: ", "bold red"), error.message), soft_wrap=True)
    if error.hint is not None:
        talk.print(Text.assemble(("hint: ", "bold"), error.hint), soft_wrap=True)
