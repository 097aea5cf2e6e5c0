"""The battery: equal sizes, equal streams, and a table that is gone on with."""

import battery
import probe
import pytest
from battery import Result, config_of, sized

from agents.evaluation.intervals import student_interval
from memory import CORES, LSTMConfig
from memory.supervised.reader import InputAdapter


def parameters(config, features):
    adapter = InputAdapter((features,), config.input_kind)
    parts = (adapter, config.build(adapter.output_shape))
    return sum(p.numel() for part in parts for p in part.parameters())


@pytest.mark.parametrize("name", [*CORES, "lstm, layers=2", "memory_net, mode=frozen_bn"])
def test_a_core_is_as_wide_as_the_budget_allows(name):
    config = sized(name, 17, 20_000)
    count = parameters(config, 17)
    assert 15_000 < count <= 20_000


def test_a_core_may_be_named_with_options():
    assert config_of("lstm, layers=2", 7) == LSTMConfig(hidden=7, layers=2)
    for name, message in (
        ("ltsm", "did you mean 'lstm'"),
        ("lstm, layer=2", "option of lstm='layer': .*did you mean 'layers'"),
    ):
        with pytest.raises(ValueError, match=message):
            config_of(name, 7)


def test_a_budget_too_small_is_refused():
    with pytest.raises(ValueError, match=r"budget=20: lstm has at least 76 parameters"):
        sized("lstm", 17, 20)


def test_a_run_tells_what_it_did_and_repeats():
    results = [battery.run("associative recall", "gru", 1, 500, 5000) for _ in range(2)]
    assert results[0]._replace(seconds=0) == results[1]._replace(seconds=0)
    assert (
        results[0].updates == 3
        and results[0].frames == 3 * 32 * 6
        and 4000 < results[0].parameters <= 5000
    )
    other = battery.run("associative recall", "gru", 2, 500, 5000)
    assert other.loss != results[0].loss


def test_a_table_is_read_as_it_was_written_and_gone_on_with(tmp_path, monkeypatch, capsys):
    table = tmp_path / "probe.csv"
    ran = []

    def run(jobs, asked):
        ran.append(jobs)
        for task, core, seed in jobs:
            row = Result(task, core, seed, asked.budget, 100, 1, 7, 0.25 * seed, 0.5, 1.5)
            probe.append(asked.out, row)

    monkeypatch.setattr(probe, "_run", run)
    flags = [
        "--out",
        str(table),
        "--budget",
        "200",
        "--cores",
        "gru",
        "lstm, layers=2",
        "--frames",
        "7",
    ]
    assert probe.main([*flags, "--seeds", "1"]) == 0
    assert probe.main([*flags, "--seeds", "2"]) == 0
    assert [len(jobs) for jobs in ran] == [6, 6]
    assert {seed for _, _, seed in ran[1]} == {2}
    rows = probe.read(table)
    assert len(rows) == 12 and rows[0] == Result(
        "delayed recall", "gru", 1, 200, 100, 1, 7, 0.25, 0.5, 1.5
    )
    assert table.with_suffix(".png").stat().st_size > 10_000
    for flag, value in (("--budget", "300"), ("--frames", "5000")):
        with pytest.raises(SystemExit):
            probe.main([*flags, flag, value])
        assert "holds runs of another --frames or --budget" in capsys.readouterr().err


def test_another_table_is_refused(tmp_path):
    table = tmp_path / "probe.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="expected columns task, core, seed"):
        probe.read(table)


def test_the_interval_is_student_s():
    mean, half = student_interval([1.0, 2.0, 3.0])
    assert mean == 2 and half == pytest.approx(4.302653 / 3**0.5)
    assert student_interval([1.0])[0] == 1.0


@pytest.mark.parametrize("flag", ["--seeds", "--frames", "--processes"])
def test_counts_of_nothing_are_refused(flag, tmp_path, capsys):
    with pytest.raises(SystemExit):
        probe.main(["--out", str(tmp_path / "t.csv"), flag, "0"])
    assert f"{flag} 0: must be at least 1" in capsys.readouterr().err
