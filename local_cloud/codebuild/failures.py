"""What makes a phase of a build fail."""


class PhaseError(Exception):
    """A phase has failed, with the status code and message that its context shows."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
