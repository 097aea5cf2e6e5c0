"""The error that tells which of many environments went wrong."""


class EnvironmentFault(RuntimeError):
    """An environment raised, or gave something its spaces do not allow.

    Args:
        index: which one of the batch.
        reason: what happened, in words.
    """

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(index, reason)
        self.index, self.reason = index, reason

    def __str__(self) -> str:
        return self.reason
