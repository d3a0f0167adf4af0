"""What a step tells whoever reads its log."""


def say(text: str, *, label: str = "") -> None:
    """Print text at once, each of its lines under a label, so that two jobs' lines can be told apart."""
    for line in text.splitlines():
        print(f"{label} | {line}" if label else line, flush=True)


def one_line(text: str, limit: int) -> str:
    """Text as one line of at most `limit` characters, all of which show.

    It goes to approvers, into mails and terminals, and holds names that the data or the model's code gave.
    """
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= limit else f"{line[: limit - 3]}..."
