"""The error that tells which of many environments went wrong."""

import traceback


class EnvironmentFault(RuntimeError):
    """An environment raised, or gave something its spaces do not allow.

    Args:
        index: which one of the batch; or a fault to copy, as Gymnasium does with an error that was
            raised in another process.
        reason: what happened, in words.
        error: that the environment raised.
        trace: its traceback, in place of the error.
    """

    def __init__(
        self,
        index: "int | EnvironmentFault",
        reason: str = "",
        error: BaseException | None = None,
        trace: str = "",
    ) -> None:
        if isinstance(index, EnvironmentFault):
            index, reason, trace = index.index, index.reason, index.trace
        if error is not None:
            trace = "".join(traceback.format_exception(error))
        super().__init__(index, reason, None, trace)
        self.index: int = index
        self.reason: str = reason
        self.trace: str = trace
        """The traceback of the error, as Python prints it; empty if there is none."""

    def __str__(self) -> str:
        return self.reason
