"""An evaluation as a line of a log."""

from typing import Any

from agents.evaluation.scores import Evaluation


def summary(evaluation: Evaluation) -> dict[str, Any]:
    """Scores as JSON values, without single episodes.

    `measure` names the main score: the solved rate where the environment reports it, else the mean
    return.
    """
    whole = evaluation.as_dict()
    solved = whole["solved"]
    scores = {
        "measure": "solved" if solved else "return",
        "levels": whole["episodes"],
        "return": whole["return"]["mean"],
        "return_interval": [whole["return"]["low"], whole["return"]["high"]],
        "length": whole["length"]["mean"],
        "out_of_time": whole["out_of_time"],
    }
    if solved:
        scores |= {"solved": solved["rate"], "solved_interval": [solved["low"], solved["high"]]}
    if evaluation.max_steps is not None:
        scores["max_steps"] = evaluation.max_steps
    return scores | {"breakdown": whole["breakdown"]}
