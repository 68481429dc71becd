"""Numbers with their nouns, for what people read."""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Returns `1 batch`, `2 batches`, `1,243 changes`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {plural or _plural(noun)}"


def _plural(noun: str) -> str:
    return f"{noun}es" if noun.endswith(("s", "ch", "sh", "x")) else f"{noun}s"
