"""Image association: which images meet, what a sequence shows, and the files they come from."""

import gzip
from collections import Counter
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torch

from memory.supervised.data.data_folder import MissingData
from memory.supervised.data.text_file import MalformedData
from memory.supervised.tasks.image_association.convnet import FrameEncoder
from memory.supervised.tasks.image_association.image_association import ImageAssociationConfig, draw
from memory.supervised.tasks.image_association.images import Images, galleries
from tests.memory.supervised.tasks.image_association.image_data import (
    write_cifar10_and_mnist,
    write_idx,
    write_omniglot,
)


@pytest.fixture
def task():
    return ImageAssociationConfig(images="drawn", delay=2, test_delays=(0, 5)).build(1)


@pytest.fixture
def folder(tmp_path):
    return write_cifar10_and_mnist(tmp_path)


def known(picture_of, images):
    """The number of the image that each of some pictures is."""
    found = {image.tobytes(): number for number, image in enumerate(images)}
    return [found[picture.tobytes()] for picture in picture_of]


def test_three_pairs_are_shown_and_a_different_image_of_one_class_asks(task):
    batch = task.batch(0, 40)
    frames, gallery = batch.inputs.numpy(), task.images["train"]
    assert frames.shape == (10, 40, 32, 64, 3)
    answered = Counter()
    for b in range(40):
        shown = frames[[0, 3, 6], b]
        kinds = gallery.kinds[known(shown[:, :, :32], gallery.pictures)]
        values = gallery.values[known(shown[:, :, 32:, 0], gallery.digits)]
        assert len(set(kinds)) == len(set(values)) == 3
        (asked,) = known(frames[9:, b, :, :32], gallery.pictures)
        assert asked not in known(shown[:, :, :32], gallery.pictures)
        assert not frames[9, b, :, 32:].any()
        place = kinds.tolist().index(gallery.kinds[asked])
        assert batch.targets[-1, b] == values[place]
        answered[place] += 1
    assert set(answered) == {0, 1, 2}
    assert batch.loss_mask.nonzero()[:, 0].unique().tolist() == [9]


def test_between_frames_is_grey_noise(task):
    frames = task.batch(0, 8).inputs[[1, 2, 4, 5, 7, 8]]
    assert frames.eq(frames[..., :1]).all()
    assert 120 < frames.float().mean() < 135 and frames.unique().numel() == 256
    assert not frames[0].equal(frames[1])
    assert not task.batch(1, 8).inputs[1].equal(frames[0])


def test_a_quarter_of_the_images_only_ever_ask_and_all_are_used_alike(task):
    gallery = task.images["train"]
    sequences = draw(gallery, 3000)
    shown, asked = Counter(sequences.pictures.flatten().tolist()), Counter(sequences.asked.tolist())
    assert not set(shown) & set(asked)
    per_kind = Counter(gallery.kinds[list(asked)].tolist())
    assert set(per_kind.values()) == {len(gallery.kinds) // 10 // 4}
    for kind in range(10):
        for counts in (shown, asked):
            of = [count for image, count in counts.items() if gallery.kinds[image] == kind]
            assert max(of) - min(of) <= 1
    again = draw(gallery, 3000)
    assert all(np.array_equal(a, b) for a, b in zip(sequences, again, strict=True))


def test_validation_and_tests_are_apart_from_training_and_the_same_for_every_delay(task):
    assert task.tests == ("test", "delay_0", "delay_5")
    ends, lengths = {}, {}
    for split in ("validation", *task.tests):
        batches = list(task.held_out(split))
        ends[split] = torch.cat([batch.inputs[-1] for batch in batches])
        lengths[split] = {len(batch.inputs) for batch in batches}
    assert lengths == {"validation": {10}, "test": {10}, "delay_0": {4}, "delay_5": {19}}
    assert len(ends["validation"]) == 1250 and len(ends["test"]) == 2230
    assert ends["test"].equal(ends["delay_0"]) and ends["test"].equal(ends["delay_5"])
    sequences = {tuple(row) for row in task.sequences["train"].pictures[:11_250].tolist()}
    held = task.sequences["train"].pictures[11_250:].tolist()
    assert len(sequences & set(map(tuple, held))) < 10
    drawn = {image.tobytes() for image in task.images["train"].pictures}
    assert not drawn & {image.tobytes() for image in task.images["test"].pictures}


def test_the_published_files_are_read_image_by_image(folder):
    both = galleries("cifar10_mnist", folder)
    train, test = both["train"], both["test"]
    assert train.pictures.shape == (200, 32, 32, 3) and test.pictures.shape == (40, 32, 32, 3)
    # The first byte of each image, red and at the top left, is its class in these files.
    assert np.array_equal(train.pictures[:, 0, 0, 0], train.kinds)
    assert train.digits.shape == (40, 32, 32) and np.array_equal(
        train.digits[:, 2, 2], train.values
    )
    assert not train.digits[:, :2].any() and not train.digits[:, :, 30:].any()
    raw = np.fromfile(folder / "cifar10/test_batch.bin", dtype=np.uint8)
    planes = raw.reshape(-1, 3073)[3, 1:].reshape(3, 32, 32)
    assert np.array_equal(test.pictures[3].transpose(2, 0, 1), planes)


@pytest.mark.parametrize(
    ("file", "keep", "words"),
    [
        ("cifar10/data_batch_2.bin", 3000, "3000 bytes are not records"),
        ("cifar10/data_batch_2.bin", 0, "0 bytes are not records"),
        ("mnist/t10k-images-idx3-ubyte.gz", 200, "is not a whole gzip file"),
        ("mnist/t10k-labels-idx1-ubyte.gz", None, "cannot be read"),
    ],
)
def test_a_truncated_or_missing_file_is_named(folder, file, keep, words):
    path = folder / file
    if keep is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(MalformedData, match=words) as refused:
        galleries("cifar10_mnist", folder)
    assert path.name in str(refused.value)


def test_a_file_of_digits_with_a_wrong_head_or_count_is_refused(folder):
    file = folder / "mnist" / "train-labels-idx1-ubyte.gz"
    write_idx(file, np.zeros((2, 2), dtype=np.uint8))
    with pytest.raises(MalformedData, match="the header does not match the number of bytes"):
        galleries("cifar10_mnist", folder)
    write_idx(file, np.zeros(40, dtype=np.uint8))
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes())[:-1]))
    with pytest.raises(MalformedData, match="the header does not match the number of bytes"):
        galleries("cifar10_mnist", folder)
    write_idx(file, np.zeros(39, dtype=np.uint8))
    with pytest.raises(MalformedData, match="found 40 x 28 x 28 and 39 labels"):
        galleries("cifar10_mnist", folder)
    write_idx(file, np.zeros(40, dtype=np.uint8))
    with pytest.raises(MalformedData, match="expected labels 0 to 9"):
        galleries("cifar10_mnist", folder)


def test_letters_of_other_people_are_for_the_test(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_CACHE", str(tmp_path / "cache"))
    both = galleries("omniglot", write_omniglot(tmp_path / "omniglot"))
    for part, people in (("train", 14), ("test", 6)):
        gallery = both[part]
        assert gallery.pictures.shape == (10 * people * 45, 32, 32, 3)
        assert gallery.digits.shape == (10 * people * 45, 32, 32)
        assert Counter(gallery.kinds.tolist()) == {kind: people * 45 for kind in range(10)}
    # A bar that lies lower, or more to the right, for each character; light on dark.
    train = both["train"]
    for kind in range(10):
        of = train.pictures[train.kinds == kind].astype(float).mean(axis=(0, 3))
        across = train.digits[train.values == kind].astype(float).mean(axis=0)
        at = (13 + 8 * kind) / 105 * 32
        assert abs((of.sum(0) * np.arange(32)).sum() / of.sum() - at) < 1
        assert abs((across.sum(1) * np.arange(32)).sum() / across.sum() - at) < 1


def test_a_truncated_archive_of_letters_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_CACHE", str(tmp_path / "cache"))
    folder = write_omniglot(tmp_path / "omniglot", characters=9)
    with pytest.raises(MalformedData, match="character 10 of Futurama has 0 drawings, expected"):
        galleries("omniglot", folder)
    file = folder / "images_background.zip"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(MalformedData, match=r"images_background.zip is not a whole archive"):
        galleries("omniglot", folder)


@pytest.mark.parametrize(
    ("without", "added", "reason"),
    [
        (["Latin/character03/0002_04.png"], [], "character 3 of Latin has 19 drawings, expected"),
        ([], ["Latin/character03/0002_21.png"], "character 3 of Latin has 21 drawings, expected"),
        ([], ["Latin/character03/9_04.png"], "0002_04.png and .*9_04.png are the same drawing"),
        (
            [f"Futurama/character02/0001_{drawer:02}.png" for drawer in range(1, 21)],
            [],
            "character 2 of Futurama has 0 drawings, expected",
        ),
    ],
)
def test_drawings_are_counted_by_their_names(
    without: list[str],
    added: list[str],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rest does not move up into the next class."""
    monkeypatch.setenv("ENGRAM_CACHE", str(tmp_path / "cache"))
    folder = write_omniglot(tmp_path / "omniglot", without=without)
    with ZipFile(folder / "images_background.zip", "a") as archive:
        some = archive.read("images_background/Latin/character03/0002_05.png")
        for name in added:
            archive.writestr(f"images_background/{name}", some)
        archive.writestr("__MACOSX/images_background/Latin/character03/._0002_04.png", b"")
    with pytest.raises(MalformedData, match=reason):
        galleries("omniglot", folder)


def test_images_that_are_not_there_are_not_replaced_by_others(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_DATA", str(tmp_path))
    cases: tuple[tuple[Images, str], ...]
    cases = ("cifar10_mnist", "cifar10"), ("omniglot", "omniglot")
    for images, name in cases:
        with pytest.raises(MissingData, match=f"{name}: no "):
            ImageAssociationConfig(images=images).build(1)


def test_stand_ins_are_remarked_on(task, folder):
    assert "a stand-in: images are drawn" in task.remarks()[0]
    assert ImageAssociationConfig(data=folder).build(1).remarks() == []


@pytest.mark.parametrize("network", ["small", "published"])
def test_the_last_frame_has_a_layer_of_its_own(network):
    torch.manual_seed(1)
    encoder = FrameEncoder(network).eval()
    frames = torch.randint(256, (3, 2, 32, 64, 3), dtype=torch.uint8)
    seen = encoder(frames)
    assert seen.shape == (3, 2, 128)
    with torch.no_grad():
        encoder.asked.dense.weight.mul_(2)
    torch.testing.assert_close(encoder(frames)[:2], seen[:2])
    assert not encoder(frames)[2].allclose(seen[2])


def test_the_published_network_is_ten_convolutions():
    shapes = [p.shape for p in FrameEncoder("published").look.parameters() if p.dim() == 4]
    assert [s[0] for s in shapes] == [32, 32, 64, 64, 128, 128, 256, 256, 512, 512]
    assert all(s[2:] == (3, 3) for s in shapes)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"delay": -1}, "delay=-1: must be 0 or more"),
        ({"test_delays": (3, -2)}, "test_delays=-2: must be 0 or more"),
    ],
)
def test_a_wrong_option_is_named(options, words):
    with pytest.raises(ValueError, match=words):
        ImageAssociationConfig(**({"images": "drawn"} | options)).build(1)


def test_the_longest_delay_counts_wherever_it_is_tested():
    config = ImageAssociationConfig(images="drawn", delay=1, test_delays=(2, 9))
    assert config.build(1).longest_episode == 3 * 10 + 1
