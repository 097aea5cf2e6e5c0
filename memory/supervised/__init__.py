"""Supervised tasks that test what a core remembers, all through one reader and one trainer."""

from memory.supervised.associative_recall import AssociativeRecallConfig
from memory.supervised.babi import BabiConfig
from memory.supervised.batch import Batch
from memory.supervised.delayed_recall import DelayedRecallConfig
from memory.supervised.image_association import ImageAssociationConfig
from memory.supervised.language_model import LanguageModelConfig
from memory.supervised.learning_to_execute import LearningToExecuteConfig
from memory.supervised.logic import LogicConfig
from memory.supervised.nlvr import NlvrConfig
from memory.supervised.nth_farthest import NthFarthestConfig
from memory.supervised.pos_tagging import PosTaggingConfig
from memory.supervised.reader import Reader, ReaderConfig, build_reader
from memory.supervised.sentences import SentencesConfig
from memory.supervised.task import Task
from memory.supervised.trainer import Trainer, TrainingConfig

TASKS = {
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
    "SentencesConfig",
    "Task",
    "Trainer",
    "TrainingConfig",
    "build_reader",
]
