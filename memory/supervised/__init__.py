"""Supervised tasks that test what a core remembers, all through one reader and one trainer."""

from memory.supervised.batch import Batch
from memory.supervised.reader import Reader, ReaderConfig, build_reader
from memory.supervised.task import Task, TaskConfig
from memory.supervised.tasks.associative_recall import AssociativeRecallConfig
from memory.supervised.tasks.babi.babi import BabiConfig
from memory.supervised.tasks.delayed_recall import DelayedRecallConfig
from memory.supervised.tasks.image_association.image_association import ImageAssociationConfig
from memory.supervised.tasks.language_model.language_model import LanguageModelConfig
from memory.supervised.tasks.learning_to_execute.learning_to_execute import LearningToExecuteConfig
from memory.supervised.tasks.logic import LogicConfig
from memory.supervised.tasks.nlvr.nlvr import NlvrConfig
from memory.supervised.tasks.nth_farthest import NthFarthestConfig
from memory.supervised.tasks.pos_tagging.pos_tagging import PosTaggingConfig
from memory.supervised.tasks.repeat_first import RepeatFirstConfig
from memory.supervised.tasks.repeat_previous import RepeatPreviousConfig
from memory.supervised.tasks.sentences import SentencesConfig
from memory.supervised.trainer import Trainer, TrainingConfig

TASKS: dict[str, type[TaskConfig]] = {
    "associative_recall": AssociativeRecallConfig,
    "babi": BabiConfig,
    "delayed_recall": DelayedRecallConfig,
    "image_association": ImageAssociationConfig,
    "language_model": LanguageModelConfig,
    "learning_to_execute": LearningToExecuteConfig,
    "logic": LogicConfig,
    "nlvr": NlvrConfig,
    "nth_farthest": NthFarthestConfig,
    "pos_tagging": PosTaggingConfig,
    "repeat_first": RepeatFirstConfig,
    "repeat_previous": RepeatPreviousConfig,
    "sentences": SentencesConfig,
}
"""The configuration of every task, by name."""

__all__ = [
    "TASKS",
    "AssociativeRecallConfig",
    "BabiConfig",
    "Batch",
    "DelayedRecallConfig",
    "ImageAssociationConfig",
    "LanguageModelConfig",
    "LearningToExecuteConfig",
    "LogicConfig",
    "NlvrConfig",
    "NthFarthestConfig",
    "PosTaggingConfig",
    "Reader",
    "ReaderConfig",
    "RepeatFirstConfig",
    "RepeatPreviousConfig",
    "SentencesConfig",
    "Task",
    "TaskConfig",
    "Trainer",
    "TrainingConfig",
    "build_reader",
]
