"""How recurrences are compared."""


def test_ratios_are_those_of_each_round_and_the_first_does_not_count(monkeypatch):
    import recurrences

    clock = iter([0, 9, 10, 11, *(0, 2, 10, 11), *(0, 8, 10, 12), *(0, 3, 10, 20)])
    monkeypatch.setattr(recurrences.time, "perf_counter", lambda: next(clock))
    figures = recurrences.compare({"torch.nn": lambda: None, "ours": lambda: None}, rounds=3)
    assert figures == {"torch.nn, ms": 3000, "ours, ms": 2000, "ours, ratio": 2}
