"""Lines for people who follow a job's log."""


def say(line: str) -> None:
    """Print a line at once: a log that is read live must not wait for a buffer."""
    print(line.strip().expandtabs(4), flush=True)
