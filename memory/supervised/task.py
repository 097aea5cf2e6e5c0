"""The contract that every supervised task keeps: numbered batches, held-out sets, metrics."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from numpy.random import SeedSequence
from torch import Tensor, nn

from memory.supervised.batch import Batch
from memory.supervised.head import Classifier, Head
from memory.supervised.measure import AccuracyMetric, Measure

SPLITS = ("train", "test", "validation")
"""The splits of every task; a task may have further test sets."""


class Encoder(nn.Module, ABC):
    """Maps the inputs of a task, `[T, B, ...]`, to features for a core."""

    output_shape: tuple[int, ...]
    """Features of one step: `(F,)`, `(N, F)` or `(C, H, W)`."""
    branches_on_data: bool = False
    """As `Core.branches_on_data`."""


class Plain(Encoder):
    """The identity, for tasks whose inputs are vectors."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.output_shape = (features,)

    def forward(self, inputs: Tensor) -> Tensor:
        """The inputs."""
        return inputs


class Task(ABC):
    """A source of batches.

    A batch depends only on its number, its size and the seed of the task: a resumed run needs no
    state besides the number of updates, and any process can make batches. If batches also depend on
    validations (`notice`), the task has a state.
    """

    num_classes: int
    """Number of possible answers at each step."""
    measure: str = "accuracy"
    """The metric by which weights are compared."""
    lower_is_better: bool = False
    """Whether a lower `measure` is better."""
    floor: str | None = None
    """The one of `baselines` from which reports measure a core; None is the best of them."""
    tests: tuple[str, ...] = ("test",)
    """Names of the held-out sets on which the best weights are tested at the end."""
    longest_episode: int | None = None
    """Steps of the longest episode, if its last answer may depend on its first input."""
    carries_state: bool = False
    """Whether each batch continues the previous one, so that the core keeps its state between them;
    also within a held-out set."""
    noticed_metrics: tuple[str, ...] = ()
    """Metrics of a validation that `notice` reads."""
    learns_from_own_answers: bool = False
    """Whether a reader is fed its own answers in training too (see `Batch.feedback_mask`)."""

    @abstractmethod
    def batch(self, number: int, size: int) -> Batch:
        """A training batch. Called from one thread at a time, which need not be the main thread."""

    @abstractmethod
    def held_out(self, split: str) -> Iterator[Batch]:
        """Batches of a held-out set, the same in every pass.

        `validation` selects the best weights; the sets in `tests` measure them.
        """

    @abstractmethod
    def encoder(self) -> Encoder:
        """A new encoder."""

    def head(self, width: int, readout: Sequence[int], encoder: Encoder) -> Head:
        """A new read-out of a core's outputs of this width.

        Args:
            readout: units of each hidden layer.
            encoder: the encoder of the same network, to share weights with.
        """
        return Classifier(width, readout, self.num_classes)

    def measures(self) -> list[Measure]:
        """The metrics of one pass over a held-out set."""
        return [AccuracyMetric()]

    def baselines(self) -> dict[str, float]:
        """`measure` of simple strategies without memory, by a short description."""
        return {"chance": 1 / self.num_classes}

    def remarks(self) -> list[str]:
        """Notes to print with every result, such as that the data are not the published ones."""
        return []

    def identity(self) -> str:
        """What the weights of a reader depend on besides their shapes, such as a vocabulary."""
        return ""

    def notice(self, validation: Mapping[str, float]) -> bool:
        """Adapt training to a validation. Returns whether this changes later batches.

        Args:
            validation: those of the `noticed_metrics` that the validation has.
        """
        return False

    def get_state(self) -> dict[str, Any]:
        """The state that `notice` changes."""
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Restore a state from `get_state`."""


class TaskConfig(ABC):
    """The options of a task: a frozen, keyword-only dataclass that makes the task.

    A subclass has to define `build` and `small`, and `data_sets` if the task reads files.
    """

    @property
    def data_sets(self) -> tuple[str, ...]:
        """Names of the data sets that the task reads."""
        return ()

    @abstractmethod
    def build(self, seed: int) -> Task:
        """Make the task.

        Raises:
            ValueError: an option is out of range, or a data set is missing or damaged.
        """

    @classmethod
    def small(cls) -> Mapping[str, "TaskConfig"]:
        """Small configurations for tests, one for each mode of the task, by the name of the mode.

        The plain one, with no name, comes first. It trains in seconds.

        Raises:
            TypeError: the class does not define `small`.
        """
        raise TypeError(
            f"{cls.__name__} has no small configuration for tests: define the class method "
            "small(), which returns configurations that train in seconds, by name"
        )

    def idle(self) -> dict[str, str]:
        """Options that have no effect in this combination, each with what makes it so."""
        return {}


CHUNK = 320
"""Sequences of a held-out batch, whatever the size of training batches."""


def random_source(seed: int, split: str, number: int) -> SeedSequence:
    """The seed of one batch; different batches have independent random numbers."""
    return SeedSequence([seed, SPLITS.index(split), number])
