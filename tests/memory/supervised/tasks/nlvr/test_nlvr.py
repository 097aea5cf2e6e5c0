"""NLVR: the files, the words, the six orders, and how the official program counts."""

import json
import os
from collections import Counter
from itertools import permutations
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torch

from memory.supervised.data.text_file import MalformedData
from memory.supervised.head import Answered
from memory.supervised.tasks.nlvr.encoder import Cells, Read, Sentence, Things
from memory.supervised.tasks.nlvr.files import Pictures, file_of, read_examples
from memory.supervised.tasks.nlvr.nlvr import Consistency, NlvrConfig
from memory.supervised.tasks.nlvr.words import Spelling, words_of
from tests.memory.supervised.tasks.nlvr.nlvr_data import png, write_nlvr
from tests.present import present


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_CACHE", str(tmp_path / "cache"))
    return write_nlvr(tmp_path / "nlvr")


def lines_of(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_line_becomes_a_sentence_its_truth_and_the_things_in_each_box(folder):
    file = folder / "dev.json"
    fields, example = lines_of(file)[0], read_examples(file)[0]
    assert example.identifier == "0-0" and example.sentence == fields["sentence"]
    assert example.is_true == (fields["label"] == "true")
    for box, rows in zip(fields["structured_rep"], example.things, strict=True):
        assert rows.any(axis=1).sum() == len(box)
        for thing, row in zip(box, rows, strict=False):
            assert row[:2] == pytest.approx([thing["x_loc"] / 100, thing["y_loc"] / 100])
            colour = ("Yellow", "Black", "#0099ff").index(thing["color"])
            assert row[2:].nonzero()[0].tolist() == [0, 3 + colour, 7]  # a square, of size 20


def broken(**changes):
    box = [{"x_loc": 1, "y_loc": 1, "type": "square", "color": "Black", "size": 10}]
    fields = {"sentence": "Yes.", "identifier": "1-0", "label": "true", "structured_rep": [box] * 3}
    return json.dumps({k: v for k, v in (fields | changes).items() if v is not None})


def placed(x: object) -> str:
    """A line with a thing at this place."""
    thing = {"x_loc": x, "y_loc": 1, "type": "square", "color": "Black", "size": 10}
    return broken(structured_rep=[[thing], [], []])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (broken()[:-9], "line 2: .*delimiter|line 2: .*Unterminated"),
        ("[1, 2]", "line 2"),
        (broken(label=None), "line 2: no 'label'"),
        (broken(label="perhaps"), "line 2: expected the label true or false, not 'perhaps'"),
        (broken(identifier="1"), "line 2: expected an identifier n-m"),
        (broken(identifier=f"1-{'1' * 5000}"), "line 2: expected an identifier n-m"),
        (broken(), "line 2: an identifier for the second time"),
        (broken()[:-1] + ', "label": "true"}', "line 2: a field is given twice"),
        (broken(sentence="a " * 5000), "line 2: a sentence of 10,000 characters"),
        ("[" * 100_000, "line 2: maximum recursion depth exceeded"),
        (placed(float("nan")), "line 2: x_loc nan is not a number from 0 to 100"),
        (placed(float("inf")), "line 2: x_loc inf is not a number"),
        (placed(1e308), "line 2: x_loc 1e[+]308 is not a number"),
        (placed(-2700), "line 2: x_loc -2700 is not a number"),
        (placed("9"), "line 2: x_loc '9' is not a number"),
        (placed(True), "line 2: x_loc True is not a number"),
        (broken(sentence=3), "line 2"),
        (broken(structured_rep=[[]]), "line 2: expected 3 boxes of at most 8 things"),
        (broken(structured_rep=[[{"x_loc": 1}], [], []]), "line 2: no 'y_loc'"),
        (
            broken(
                structured_rep=[[json.loads(broken())["structured_rep"][0][0] | {"size": 11}]] * 3
            ),
            "line 2: size 11 is none of 10, 20, 30",
        ),
    ],
)
def test_a_malformed_line_is_refused_with_file_and_line(tmp_path, line, words):
    file = tmp_path / "dev.json"
    file.write_text(f"{broken()}\n{line}\n")
    with pytest.raises(MalformedData, match=words) as refused:
        read_examples(file)
    assert str(file) in str(refused.value)


def test_a_file_without_examples_or_none_at_all_is_refused(tmp_path):
    (tmp_path / "dev.json").write_text("")
    with pytest.raises(MalformedData, match="has no example"):
        read_examples(tmp_path / "dev.json")
    with pytest.raises(MalformedData, match=r"expected train\.json or train/train\.json or"):
        file_of(tmp_path, "train")


def test_pictures_are_halved_and_cut_into_boxes_from_archives_or_folders(folder):
    fields = lines_of(folder / "dev.json")[0]
    example = read_examples(folder / "dev.json")[0]
    boxes = Pictures(folder, "dev").boxes(example)
    assert boxes.shape == (3, 50, 50, 3) and boxes[0, 0, 0].tolist() == [211, 211, 211]
    colours = {"Yellow": [255, 255, 0], "Black": [0, 0, 0], "#0099ff": [0, 153, 255]}
    for box, pixels in zip(fields["structured_rep"], boxes, strict=True):
        for thing in box:
            y, x = thing["y_loc"] // 2 + 5, thing["x_loc"] // 2 + 5
            assert pixels[y, x].tolist() == colours[thing["color"]]
    with ZipFile(folder / "images_dev.zip") as archive:
        archive.extractall(folder)
    (folder / "images_dev.zip").unlink()
    assert np.array_equal(Pictures(folder, "dev").boxes(example), boxes)


def test_a_picture_that_is_missing_or_damaged_or_of_another_size_is_named(folder):
    example = read_examples(folder / "dev.json")[0]
    (folder / "images_dev.zip").unlink()
    with pytest.raises(MalformedData, match=r"no picture dev-0-0-0.png in dev/images, nor in im"):
        Pictures(folder, "dev").boxes(example)
    place = folder / "dev" / "images" / "7"
    place.mkdir(parents=True)
    for data, words in (
        (png([[]], width=300), "expected 400 x 100 pixels, found 300 x 100"),
        (png([[]])[:60], "cannot be read"),
    ):
        (place / "dev-0-0-0.png").write_bytes(data)
        with pytest.raises(MalformedData, match=words) as refused:
            Pictures(folder, "dev").boxes(example)
        assert "7/dev-0-0-0.png" in str(refused.value)


def test_a_truncated_archive_is_refused(folder):
    file = folder / "images_train.zip"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(MalformedData, match=r"images_train.zip is not a whole archive"):
        NlvrConfig(data=folder).build(1)
    assert NlvrConfig(data=folder, given="things").build(1)


def test_a_long_word_is_not_corrected() -> None:
    """A slip of each letter of a word of a million letters would take hours."""
    assert Spelling(["one yellow block"]).meant("y" * 1_000_000) == ("y" * 1_000_000,)


def test_a_word_keeps_its_marks() -> None:
    assert words_of("A café, नमस्ते 2") == ["a", "café", "नमस्ते", "two"]


def test_pictures_are_prepared_once(folder, monkeypatch):
    first = NlvrConfig(data=folder).build(1)
    monkeypatch.setattr(Pictures, "boxes", lambda *_: pytest.fail("read again"))
    assert np.array_equal(NlvrConfig(data=folder).build(1).boxes["dev"], first.boxes["dev"])


def test_slips_are_put_right_and_rare_words_are_unknown():
    frequent = [f"there is one yellow block {i}" for i in range(12)]
    spelling = Spelling([*frequent, "some odd block"])
    assert words_of("There's 1 block, in 12.") == ["there", "s", "one", "block", "in", "one", "two"]
    assert spelling.meant("yelow") == spelling.meant("yellwo") == ("yellow",)
    assert spelling.meant("isone") == ("is", "one") and spelling.meant("fellow") == ("fellow",)
    right = spelling.read("There is one yellow block.")
    assert spelling.read("theree is onee  yelloww bllock") == right and 1 not in right
    assert spelling.read("odd") == spelling.read("?") == [1]
    assert max(spelling.numbers.values()) == len(spelling) - 1


def test_a_test_shows_every_example_in_all_six_orders(folder):
    task = NlvrConfig(data=folder).build(1)
    batches = list(task.held_out("dev"))
    assert sum(len(present(batch.groups)) for batch in batches) == 6 * 48
    shown = torch.cat([batch.inputs.boxes for batch in batches], dim=1).numpy()
    for b, order in enumerate(permutations(range(3))):
        assert np.array_equal(shown[:, 6 + b], task.boxes["dev"][1][list(order)])
    (once,) = task.held_out("validation")
    assert np.array_equal(once.inputs.boxes.numpy(), task.boxes["dev"].swapaxes(0, 1))
    (things,) = NlvrConfig(data=folder, given="things").build(1).held_out("hidden")
    assert things.inputs.boxes.shape == (3, 48, 8, 11)


def test_every_order_of_every_training_example_comes_as_often(folder):
    task = NlvrConfig(data=folder).build(1)
    seen = Counter()
    for number in range(50):  # of 144: 25 epochs of 48 examples in six orders
        boxes = task.batch(number, 144).inputs.boxes
        seen.update(each.numpy().tobytes() for each in boxes.unbind(1))
    expected = Counter(
        boxes[list(order)].tobytes()
        for boxes in task.boxes["train"]
        for order in permutations(range(3))
    )
    assert seen == {each: 25 * count for each, count in expected.items()}


def test_a_sentence_is_consistent_only_if_every_picture_was_answered_right(folder):
    task = NlvrConfig(data=folder).build(1)
    measure = Consistency()
    for batch in task.held_out("test"):
        guesses = batch.targets[-1].clone()
        for sentence in (3, 7):
            guesses[(batch.groups == sentence).nonzero()[-1:]] ^= 1
        measure.add(batch, Answered(torch.zeros(len(guesses)), guesses))
    assert measure.results() == {"consistency": pytest.approx(10 / 12)}


def test_a_read_is_the_mean_of_the_rows_weighted_by_additive_attention():
    torch.manual_seed(1)
    read = Read().double().eval()
    rows, query = torch.randn(2, 5, 24).double(), torch.randn(2, 128).double()
    there = torch.tensor([[1, 1, 1, 0, 0], [0, 0, 0, 0, 0]]).bool()
    with torch.no_grad():
        found = read(query, rows, there)
        joined = torch.cat([rows[0, :3], query[0].expand(3, -1)], dim=1)
        weight = torch.cat([read.of_row.weight, read.of_query.weight], dim=1)
        hidden = torch.relu(joined @ weight.t() + read.of_row.bias)
        hidden = torch.relu(read.score[1](hidden))
        p = torch.softmax(torch.tanh(read.score[3](hidden)), dim=0)
    torch.testing.assert_close(found[0] * (1 + 1e-5) ** 0.5, (p * rows[0, :3]).sum(0))


def test_a_box_without_things_reads_as_zeros():
    boxes = torch.zeros(3, 2, 8, 11)
    boxes[1, 0, 2] = 1
    memories = Things()(boxes)
    assert memories.there.nonzero().tolist() == [[1, 0, 2]]
    found = Read().eval()(torch.randn(2, 128), memories.rows[0], memories.there[0])
    assert found.eq(0).all()


def test_memories_of_pixels_are_cells_with_their_places():
    cells = Cells(211.0, 50.0)
    boxes = torch.full((3, 1, 50, 50, 3), 211, dtype=torch.uint8)
    boxes[1, 0, 30:36, 14:20] = 0
    memories = cells(boxes)
    assert memories.rows.shape == (3, 1, 49, 24) and memories.there.all()
    changed = (memories.rows[1] - memories.rows[0])[0].abs().sum(-1).view(7, 7)
    assert changed[4, 2] > 0 and changed[0].sum() == changed[:, 6].sum() == 0
    assert memories.rows[0, 0, 4 * 7 + 2, -2:].tolist() == pytest.approx([4 / 7, 2 / 7])


def test_a_sentence_is_read_to_its_last_word_and_no_further():
    sentence = Sentence(9)
    short = torch.tensor([[3], [4], [5]])
    padded = torch.tensor([[3, 1], [4, 2], [5, 3], [0, 4]])
    torch.testing.assert_close(sentence(short)[0], sentence(padded)[0])


@pytest.mark.parametrize("given", ["pictures", "things"])
@pytest.mark.parametrize(("steps", "shape"), [("boxes", None), ("reads", (7, 5, 128))])
def test_every_form_is_what_the_encoder_says(folder, given, steps, shape):
    task = NlvrConfig(data=folder, given=given, steps=steps).build(1)
    batch, encoder = task.batch(0, 5), task.encoder()
    rows = 49 if given == "pictures" else 8
    features = encoder(batch.inputs)
    assert features.shape == (shape or (4, 5, rows, 24)) and len(features) == len(batch.targets)
    assert batch.loss_mask.nonzero()[:, 0].unique().tolist() == [len(batch.targets) - 1]


def test_a_rebuilt_training_file_is_remarked_on(folder):
    (how,) = NlvrConfig(data=folder, given="things").build(1).remarks()
    assert "chosen on dev" in how and "scored once" in how
    (folder / "train.json").rename(folder / "train_rebuilt.json")
    _, remark = NlvrConfig(data=folder, given="things").build(1).remarks()
    assert "train_rebuilt.json" in remark


def test_the_published_files_are_read():
    data = Path(os.environ.get("ENGRAM_DATA", "nowhere")) / "nlvr"
    if not data.is_dir():
        pytest.skip("ENGRAM_DATA names no folder with nlvr")
    task = NlvrConfig(given="things", data=data).build(1)
    sizes = {name: len(truths) for name, truths in task.truths.items()}
    assert sizes == {"train": 12_410, "dev": 989, "test": 990, "hidden": 985}
    sentences = {name: len(set(of.tolist())) for name, of in task.sentences.items()}
    assert sentences == {"train": 3163, "dev": 267, "test": 266, "hidden": 266}
    picture = Pictures(data, "dev").boxes(read_examples(file_of(data, "dev"))[0])
    assert picture.shape == (3, 50, 50, 3)
