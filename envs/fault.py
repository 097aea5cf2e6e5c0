"""The error that tells which of many environments went wrong."""


class EnvironmentFault(RuntimeError):
    """An environment raised, or gave something its spaces do not allow.

    Args:
        index: which one of the batch; or a fault to copy, as Gymnasium does with an error that was
            raised in another process.
        reason: what happened, in words.
    """

    def __init__(self, index: "int | EnvironmentFault", reason: str = "") -> None:
        if isinstance(index, EnvironmentFault):
            index, reason = index.index, index.reason
        super().__init__(index, reason)
        self.index: int = index
        self.reason: str = reason

    def __str__(self) -> str:
        return self.reason
