"""Small configurations of every task, in every mode."""

from memory.supervised import TASKS, TaskConfig

SMALL_TASKS: dict[str, TaskConfig] = {
    f"{name}, {mode}" if mode else name: config
    for name, task in TASKS.items()
    for mode, config in task.small().items()
}
