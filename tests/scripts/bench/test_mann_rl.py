"""The published program, against PyTorch's own modules one program at a time; and its ablation."""

import csv
import itertools

import mann_rl as ablation
import pytest
import torch
from mann_rl_program import ProgramConfig, Programs, double_softmax_losses
from torch import nn
from torch.nn import functional as F

LANES, SYMBOLS, UNITS = 5, 4, 3
WIDTH = SYMBOLS + UNITS
CONFIG = ProgramConfig(
    units=UNITS, history=4, settle=2, samples=2, memory_rate=1e-2, action_rate=1e-2
)
YES, NO = torch.tensor([True, True]), torch.tensor([False, True])


def programs(teaches=YES, adapts=YES):
    random = torch.Generator().manual_seed(4)
    return Programs(SYMBOLS, SYMBOLS, teaches, adapts, CONFIG, random)


def stream(steps):
    random = torch.Generator().manual_seed(5)
    symbols = torch.randint(SYMBOLS, (steps, 2, LANES), generator=random)
    targets = torch.randint(SYMBOLS, (steps, 2, LANES), generator=random)
    return F.one_hot(symbols, SYMBOLS).to(torch.get_default_dtype()), targets


class Plain:
    """One program, as a reader of the paper's program would write it."""

    def __init__(self, stacked, index):
        self.action = nn.Sequential(
            nn.Linear(WIDTH, WIDTH),
            nn.BatchNorm1d(WIDTH),
            nn.SiLU(),
            nn.Linear(WIDTH, SYMBOLS),
            nn.Softmax(dim=-1),
        )
        self.net = nn.Sequential(nn.Linear(WIDTH, UNITS), nn.BatchNorm1d(UNITS), nn.Sigmoid())
        drawn = [view[index].detach() for view in stacked.action.views()]
        self.load(self.action[0], drawn[0], drawn[1])
        self.load(self.action[3], drawn[4], drawn[5])
        drawn = [view[index].detach() for view in stacked.memory_net.views()]
        self.load(self.net[0], drawn[0], drawn[1])
        self.adam = torch.optim.Adam(self.action.parameters(), 1e-2)
        self.rmsprop = torch.optim.RMSprop(self.net.parameters(), 1e-2)
        self.random = torch.Generator().manual_seed(4)
        torch.empty(stacked.action.leaf.shape).uniform_(generator=self.random)
        torch.empty(stacked.memory_net.leaf.shape).uniform_(generator=self.random)
        self.past = []

    @staticmethod
    def load(layer, weight, bias):
        layer.weight.data, layer.bias.data = weight.t().clone(), bias.clone()

    def step(self, number, x, memory, target):
        said = self.action.train()(torch.cat([x, memory], dim=1))
        losses = nn.CrossEntropyLoss(reduction="none")(said, target)
        self.adam.zero_grad()
        losses.mean().backward()
        nn.utils.clip_grad_norm_(self.action.parameters(), 1.0)
        self.adam.step()
        self.past.append((torch.cat([x, memory], dim=1), losses.detach()))
        if number > 0 and number % 6 == 0:
            self.update()
        with torch.no_grad():
            return self.net.eval()(torch.cat([x, memory], dim=1))

    def update(self):
        chosen = torch.randperm(3, generator=self.random)[:2].tolist()
        recent = self.past[-4:]
        now = torch.cat([recent[i][0] for i in chosen])
        later = torch.cat([recent[i + 1][0] for i in chosen])
        loss = torch.cat([recent[i + 1][1] for i in chosen])
        self.net.train()
        policy = self.net(later)
        target = 0.99 * policy - 3.0 * torch.log(1 + loss)[:, None]
        self.rmsprop.zero_grad()
        nn.SmoothL1Loss()(self.net(now), target).backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.rmsprop.step()


@pytest.fixture
def doubles():
    """A bias before a batch norm has no gradient but rounding, which RMSprop blows up in floats."""
    torch.set_default_dtype(torch.double)
    yield
    torch.set_default_dtype(torch.float)


@pytest.mark.usefixtures("doubles")
def test_programs_side_by_side_are_the_plain_program_each():
    inputs, targets = stream(32)
    stacked = programs()
    plain = [Plain(stacked, index) for index in range(2)]
    memory = stacked.empty_memory(LANES)
    alone = [memory[0].clone(), memory[1].clone()]
    for number, (x, target) in enumerate(zip(inputs, targets, strict=True)):
        memory = stacked.train_step(x, memory, target)
        for i in range(2):
            alone[i] = plain[i].step(number, x[i], alone[i], target[i])
            torch.testing.assert_close(memory[i], alone[i], atol=1e-9, rtol=0)
    said = stacked.act(inputs[0], memory, training=False).softmax(-1)
    for i in range(2):
        expected = plain[i].action.eval()(torch.cat([inputs[0, i], alone[i]], dim=1))
        torch.testing.assert_close(said[i], expected, atol=1e-9, rtol=0)
    assert len(plain[0].past) > 4 * 6  # several updates of the memory-net were among them


def test_what_a_treatment_leaves_out_stays_as_it_was():
    for teaches, adapts in itertools.product((YES, NO), repeat=2):
        stacked = programs(teaches, adapts)
        weights = stacked.memory_net.leaf.detach().clone()
        means = stacked.memory_statistics.mean.clone()
        memory = stacked.empty_memory(LANES)
        for x, target in zip(*stream(8), strict=True):
            memory = stacked.train_step(x, memory, target)
        moved = stacked.memory_net.leaf.ne(weights).any(dim=1)
        shifted = stacked.memory_statistics.mean.ne(means).view(2, UNITS).any(dim=1)
        assert torch.equal(moved, teaches) and torch.equal(shifted, adapts)


def test_the_softmax_is_taken_twice():
    logits, target = torch.tensor([[[2.0, 0.0]]]), torch.tensor([[0]])
    once = torch.tensor([2.0, 0.0]).softmax(0)
    assert double_softmax_losses(logits, target).item() == pytest.approx(
        -once.log_softmax(0)[0].item(), abs=1e-6
    )
    certain = double_softmax_losses(torch.tensor([[[99.0] + [0.0] * 10]]), torch.tensor([[0]]))
    assert certain.item() == pytest.approx(1.54, abs=0.005)  # its least, with 11 symbols


def test_the_memory_cannot_feel_its_losses():
    found = ablation.gradient_check()
    assert found["largest component"] > 1e-5
    assert found["losses permuted"] == 0.0 and found["losses mean"] == 0.0


def test_the_experiment_writes_a_row_for_every_treatment_and_seed_and_resumes(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    out = tmp_path / "rows.csv"
    options = ["--seeds", "2", "--sequences", "200", "--workers", "1", "--out", str(out)]
    assert ablation.main(options) == 0
    with out.open() as file:
        rows = list(csv.DictReader(file))
    expected = [(t, s) for t in ablation.TREATMENTS for s in "12"]
    assert [(row["treatment"], row["seed"]) for row in rows] == expected
    assert all(0 <= float(row["answer_accuracy"]) <= 1 for row in rows)
    assert out.with_suffix(".png").stat().st_size > 10_000
    before = out.read_bytes()
    out.write_text("".join(out.read_text().splitlines(keepends=True)[:-1]))
    capsys.readouterr()
    assert ablation.main(options) == 0
    assert out.read_bytes() == before
    assert capsys.readouterr().out.count(" s  {") == 1


def test_a_table_of_another_experiment_is_left_alone(tmp_path, capsys):
    table = tmp_path / "mann_rl.csv"
    table.write_text(",".join(ablation.COLUMNS) + "\ncore: bptt,3,500,0.9,0.8,0.7\n")
    before = table.read_text()
    for flags in (["--sequences", "400"], ["--sequences", "500", "--seeds", "2"]):
        with pytest.raises(SystemExit):
            ablation.main(["--out", str(table), *flags])
        assert "holds runs of 500 sequences, seed 3" in capsys.readouterr().err
    assert table.read_text() == before


@pytest.mark.parametrize("flag", ["--seeds", "--sequences", "--workers"])
def test_counts_of_nothing_are_refused(flag, tmp_path, capsys):
    with pytest.raises(SystemExit):
        ablation.main(["--out", str(tmp_path / "t.csv"), flag, "0"])
    assert f"{flag} 0: must be at least 1" in capsys.readouterr().err
