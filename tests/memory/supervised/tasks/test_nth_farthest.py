"""Nth Farthest: answers by brute force, by hand, and the share of a simple strategy."""

import pytest
import torch

from memory.supervised.tasks.nth_farthest import NthFarthestConfig, nth_farthest


@pytest.mark.parametrize(("vectors", "dimensions"), [(5, 3), (3, 2)])
def test_nth_farthest_by_brute_force(vectors, dimensions):
    task = NthFarthestConfig(vectors=5, dimensions=3, curriculum="naive").build(seed=1)
    task.set_state({"level": [vectors, dimensions], "best": 0.0, "stalled": 0})
    batch = task.batch(0, 40)
    assert len(batch.inputs) == vectors
    for b in range(40):
        rows = batch.inputs[:, b]
        points, labels = rows[:, :3], rows[:, 3:8].argmax(1)
        n, m = rows[0, 8:13].argmax(), rows[0, 13:].argmax()
        assert (rows[:, 8:] == rows[0, 8:]).all() and (points[:, dimensions:] == 0).all()
        assert points.abs().max() <= 1 and sorted(labels.tolist()) == list(range(vectors))
        reference = points[labels.tolist().index(int(m))]
        far = sorted(range(vectors), key=lambda i: -(points[i] - reference).norm().item())
        assert batch.targets[-1, b] == labels[far[n]]
    assert batch.loss_mask[-1].all() and not batch.loss_mask[:-1].any()


def test_nth_farthest_is_judged_at_its_full_size_whatever_the_level():
    plain = NthFarthestConfig(vectors=4, dimensions=2).build(seed=2)
    graded = NthFarthestConfig(vectors=4, dimensions=2, curriculum="combined").build(seed=2)
    full = list(plain.held_out("validation"))
    *some, last = graded.held_out("validation")
    assert all(torch.equal(a.inputs, b.inputs) for a, b in zip(full, some, strict=False))
    assert len(last.inputs) == 1 and last.groups is not None
    assert all(len(batch.inputs) == 4 for batch in graded.held_out("test"))
    assert graded.notice({"level_accuracy": 0.8}) and graded.curriculum.level == (2, 1)


def test_nth_farthest_by_hand():
    points = torch.tensor([[[0.0], [1.0], [-0.5]]])
    labels = torch.tensor([[2, 0, 1]])
    answers = [
        nth_farthest(points, labels, torch.tensor([n]), torch.tensor([2])).item() for n in range(3)
    ]
    assert answers == [0, 1, 2]  # from the vector at 0, of label 2: at 1, at -0.5, itself


def test_answering_yourself_is_right_as_often_as_the_plateau_says():
    """Where n asks for the last, the answer is m; elsewhere one of the others."""
    task = NthFarthestConfig(vectors=4, dimensions=2).build(seed=2)
    batch = task.batch(0, 20_000)
    n, m = (batch.inputs[0, :, at : at + 4].argmax(1) for at in (6, 10))
    answers, last = batch.targets[-1], n == 3
    assert (answers[last] == m[last]).all() and (answers[~last] != m[~last]).all()
    assert task.baselines()["answer yourself"] == 0.5
    assert last.float().mean() + (~last).float().mean() / 3 == pytest.approx(0.5, abs=0.01)


def test_vectors_are_needed():
    with pytest.raises(ValueError, match="vectors=0: must be at least 1"):
        NthFarthestConfig(vectors=0).build(seed=1)
