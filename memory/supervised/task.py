"""What a supervised task is: numbered batches of sequences, and how answers to them are judged."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from numpy.random import SeedSequence
from torch import Tensor, nn

from memory.supervised.batch import Batch
from memory.supervised.head import Classifier, Head
from memory.supervised.measure import AccuracyMetric, Measure

SPLITS = ("train", "test", "validation")
"""What every task has; it may have other tests besides."""


class Encoder(nn.Module, ABC):
    """From the inputs of a task, `[T, B, ...]`, to what cores see of them."""

    output_shape: tuple[int, ...]
    """Features of one step: `(F,)`, `(N, F)` or `(C, H, W)`."""
    branches_on_data: bool = False
    """As of a core (`Core.branches_on_data`)."""


class Plain(Encoder):
    """For tasks whose inputs are vectors already."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.output_shape = (features,)

    def forward(self, inputs: Tensor) -> Tensor:
        """The inputs."""
        return inputs


class Task(ABC):
    """A supply of batches.

    A batch is a function of its number, its size and the seed of the task alone: a run that is
    resumed needs to remember nothing but how far it came, and any process can make batches. Where
    batches also depend on how training went (`notice`), that is the state of the task.
    """

    num_classes: int
    """Possible answers at each step."""
    measure: str = "accuracy"
    """The result by which weights are compared."""
    lower_is_better: bool = False
    """Whether the best weights have the lowest `measure`."""
    tests: tuple[str, ...] = ("test",)
    """Names of held-out sets by which the best weights are judged at the end."""
    longest_episode: int | None = None
    """Steps of the longest episode, where what came first may matter at the last."""
    carries_state: bool = False
    """Whether each batch goes on where the one before ended, and a core with it; the same for the
    batches of a held-out set."""
    noticed_metrics: tuple[str, ...] = ()
    """Metrics of a validation that `notice` reads."""
    learns_from_own_answers: bool = False
    """Whether training, too, feeds a reader its own answers (see `Batch.feedback_mask`)."""

    @abstractmethod
    def batch(self, number: int, size: int) -> Batch:
        """A training batch. May be called by another thread, by one at a time."""

    @abstractmethod
    def held_out(self, split: str) -> Iterator[Batch]:
        """The same sequences every time, kept or drawn apart from training.

        By those of `validation` a run is steered, by those named in `tests` it is judged.
        """

    @abstractmethod
    def encoder(self) -> Encoder:
        """A fresh encoder."""

    def head(self, width: int, readout: Sequence[int], encoder: Encoder) -> Head:
        """A fresh read-out of a core's outputs of this width.

        Args:
            readout: units of its hidden layers.
            encoder: of the same network; weights may be shared with it.
        """
        return Classifier(width, readout, self.num_classes)

    def measures(self) -> list[Measure]:
        """What is counted in one pass over a held-out set."""
        return [AccuracyMetric()]

    def baselines(self) -> dict[str, float]:
        """`measure` of answering without memory or thought, by a few words each."""
        return {"chance": 1 / self.num_classes}

    def remarks(self) -> list[str]:
        """What has to be said beside every result, such as that data were not the published."""
        return []

    def identity(self) -> str:
        """What the weights of a reader are bound to besides their shapes, such as a vocabulary."""
        return ""

    def notice(self, validation: Mapping[str, float]) -> bool:
        """Adapt training to a validation. Returns whether later batches differ because of it.

        Args:
            validation: the `noticed_metrics`, as far as the validation has them.
        """
        return False

    def get_state(self) -> dict[str, Any]:
        """What `notice` has changed."""
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Restore what `get_state` gave."""


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
"""Sequences of a held-out batch: the same whatever the batch that is trained with."""


def random_source(seed: int, split: str, number: int) -> SeedSequence:
    """Where the random numbers of one batch come from; no two batches share any."""
    return SeedSequence([seed, SPLITS.index(split), number])
