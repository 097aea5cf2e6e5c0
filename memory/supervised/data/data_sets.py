"""The data sets that can be downloaded: addresses, licences and checksums.

Every address keeps its content: a published archive, or a file of a commit. The SHA-256
of an archive is the one published for it: by ParlAI for bAbI, by TensorFlow Datasets for CIFAR-10,
MNIST and Omniglot, by Hugging Face for WikiText-103. docs/data.md has the layouts.
"""

from collections.abc import Mapping
from typing import NamedTuple

from memory.supervised.data import data_checksums as checksums
from memory.supervised.data.data_checksums import rows
from memory.supervised.data.text_file import UTF_8


class File(NamedTuple):
    """One file, kept as it comes."""

    path: str
    """Path in the folder of the set."""
    url: str
    sha256: str


class Archive(NamedTuple):
    """A zip or tar file, some members of which are kept."""

    url: str
    sha256: str | None
    """None if its bytes are not fixed; then `checksums` has all that is kept."""
    take: Mapping[str, str]
    """From a pattern for the whole name of a member to its path in the folder of the set;
    `some.zip!path` is a path within a zip file there."""
    checksums: Mapping[str, str] = {}
    """Of files in the folder of the set; see `data_checksums`."""


class DataSet(NamedTuple):
    """A folder of files."""

    what: str
    licence: str
    size: str
    home: str
    """A page with more information, in case an address no longer works."""
    holds: tuple[str, ...]
    """Files that the folder must have."""
    sources: tuple[File | Archive, ...]
    encodings: tuple[str, ...] = UTF_8
    """Of its texts, tried in this order."""


def _files(there: str, table: str, here: str = "") -> tuple[File, ...]:
    """Files below an address, put below a folder; a table of SHA-256 and name."""
    return tuple(File(here + name, there + name, sum_) for name, sum_ in rows(table).items())


def _github(repository: str, commit: str, folder: str = "") -> str:
    """The address of a folder as it was at a commit."""
    return f"https://raw.githubusercontent.com/{repository}/{commit}/{folder}"


def _novel(number: str, title: str, repository: str, commit: str, sha256: str) -> File:
    there = _github(f"GITenberg/{repository}", commit)
    return File(f"gitenberg/{number}_{title}.txt", f"{there}{number}.txt", sha256)


PYTORCH_EXAMPLES = ("pytorch/examples", "77f55b912142e11fcfdf5b530231fb9c52f181e8")
OMNIGLOT = ("brendenlake/omniglot", "057f034baf2ecb8530bc5710e5a23584d2a519cc")
NLVR = "18924841aa96d519cfb8584f0945350f07a6d860"

SETS: dict[str, DataSet] = {
    "babi": DataSet(
        what="bAbI v1.2 in English: 20 tasks of questions about stories, 1,000 or 10,000 of each",
        licence="CC BY 3.0",
        size="19 MB, unpacked 39 MB",
        home="https://research.facebook.com/downloads/babi",
        holds=("en", "en-10k"),
        sources=(
            Archive(
                "https://dl.fbaipublicfiles.com/parlai/babi/babi.tar.gz",
                "f7f0bee187efca0d81c3daac1b162cda4eb7f9505dee5ad6846eabbed3dbf92e",
                {r"tasks_1-20_v1-2/((en|en-10k)/qa\w[\w-]*\.txt|LICENSE\.txt)": r"\1"},
            ),
        ),
    ),
    "cifar10": DataSet(
        what="60,000 coloured pictures, 32 x 32, of ten classes; the binary version",
        licence="none stated",
        size="170 MB, unpacked 184 MB",
        home="https://www.cs.toronto.edu/~kriz/cifar.html",
        holds=(
            *(f"data_batch_{number}.bin" for number in range(1, 6)),
            "test_batch.bin",
            "batches.meta.txt",
        ),
        sources=(
            Archive(
                "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                {r"cifar-10-batches-bin/(\w+\.bin|batches\.meta\.txt)": r"\1"},
            ),
        ),
    ),
    "gutenberg": DataSet(
        what="23 books of Project Gutenberg: 17 that NLTK selected, and six long novels",
        licence="public domain in the USA",
        size="16 MB",
        home="https://www.gutenberg.org",
        holds=("nltk", "gitenberg"),
        encodings=("utf-8", "latin-1"),
        sources=(
            *_files(
                _github(
                    "teropa/nlp",
                    "f89bc5a15b516208de1cfe2abe9692b7ed9a43e2",
                    "resources/corpora/gutenberg/",
                ),
                checksums.NLTK_BOOKS,
                "nltk/",
            ),
            _novel(
                "1342-0",
                "Pride-and-Prejudice",
                "Pride-and-Prejudice_1342",
                "81db45c9c48c592f0b77f01fc59e677ad0a5634e",
                "48e0522844402a86a3ea98f0947ba85ea54838db3c59022299298ed968a5a163",
            ),
            _novel(
                "1400-0",
                "Great-Expectations",
                "Great-Expectations_1400",
                "889db0e100928a957f469bf834c564d04065c8e6",
                "b58ce42c630e06314f2442d5937fa8a8556b6e3c5c16f4713c7332a4bb50b420",
            ),
            _novel(
                "145",
                "Middlemarch",
                "Middlemarch_145",
                "39add53d31f10ba5cecdcbe8c095f90b25fd4b3f",
                "f499b77eb0e4e34edc3bae6b968e3241c8327384631bd26e8eec76b726915a7d",
            ),
            _novel(
                "1661",
                "The-Adventures-of-Sherlock-Holmes",
                "The-Adventures-of-Sherlock-Holmes_1661",
                "7e5dd2703fbf503c004063e96ab7c61262375e5f",
                "2a0ce5568625a304f54fbb6bfdeeadf527a1437254b5f0e06b5a9e233d4784a2",
            ),
            _novel(
                "2600-0",
                "War-and-Peace",
                "War-and-Peace_2600",
                "fa22ab90f00f627e83d14acabe32d91602d2365d",
                "6cbcc5ca5e590fb9ace161a5b93e4ecf280d7118104be0d63b686c004cfa70ae",
            ),
            _novel(
                "98-0",
                "A-Tale-of-Two-Cities",
                "A-Tale-of-Two-Cities_98",
                "0f6111bc7237af7375295ec1754c2e57e19f67f1",
                "2fcfa071498b30724bd1bd714ba89e38477d632b86d74e87559f6259d3917e36",
            ),
        ),
    ),
    "mnist": DataSet(
        what="70,000 handwritten digits, grey, 28 x 28",
        licence="CC BY-SA 3.0",
        size="12 MB",
        home="http://yann.lecun.com/exdb/mnist",
        holds=tuple(rows(checksums.MNIST)),
        sources=_files("https://storage.googleapis.com/cvdf-datasets/mnist/", checksums.MNIST),
    ),
    "nlvr": DataSet(
        what="whether a sentence is true of a picture; of six pictures one, in dev all",
        licence="CC BY 4.0",
        size="over 263 MB, of which about 70 MB are kept",
        home="https://github.com/lil-lab/nlvr",
        holds=("train.json", "dev.json", "test.json", "images_train_k0.zip"),
        sources=(
            Archive(
                f"https://github.com/lil-lab/nlvr/archive/{NLVR}.zip",
                None,
                {
                    r"nlvr-\w+/README\.md": "README_repo_licence.md",
                    r"nlvr-\w+/nlvr/README\.md": "README_nlvr.md",
                    r"nlvr-\w+/nlvr/(train|dev|test|hidden)/\1\.json": r"\1.json",
                    r"nlvr-\w+/nlvr/((train|test|hidden)/images/\d+/[\w-]+-0\.png)": (
                        r"images_\2_k0.zip!\1"
                    ),
                    r"nlvr-\w+/nlvr/(dev/images/\d+/[\w-]+\.png)": r"images_dev_all6.zip!\1",
                },
                rows(checksums.NLVR),
            ),
        ),
    ),
    "omniglot": DataSet(
        what="1,623 characters of 50 alphabets, each drawn 20 times; the 20 one-shot runs",
        licence="MIT",
        size="16 MB",
        home="https://github.com/brendenlake/omniglot",
        holds=("images_background.zip", "images_evaluation.zip", "all_runs.zip"),
        sources=(
            *_files(_github(*OMNIGLOT, "python/"), checksums.OMNIGLOT),
            *_files(_github(*OMNIGLOT, "python/one-shot-classification/"), checksums.OMNIGLOT_RUNS),
            *_files(_github(*OMNIGLOT), checksums.OMNIGLOT_LICENCE),
        ),
    ),
    "tatoeba_eng_spa": DataSet(
        what="118,121 pairs of an English and a Spanish sentence, as of 2018-04-07",
        licence="CC BY 2.0",
        size="3 MB, unpacked 8 MB",
        home="https://www.manythings.org/anki",
        holds=("spa.txt",),
        sources=(
            Archive(
                _github("kikhofua/18.065", "5dbba87757654413108e04b46ac7cbae399f9ec9", "data/")
                + "spa-eng.zip",
                None,
                {r"(?:.*/)?(spa\.txt|_about\.txt)": r"\1"},
                rows(checksums.TATOEBA),
            ),
        ),
    ),
    "tinyshakespeare": DataSet(
        what="1,115,394 characters of Shakespeare",
        licence="public domain",
        size="1 MB",
        home="https://github.com/karpathy/char-rnn",
        holds=("input.txt",),
        sources=_files(
            _github(*PYTORCH_EXAMPLES, "distributed/minGPT-ddp/mingpt/data/"),
            checksums.TINYSHAKESPEARE,
        ),
    ),
    "ud_english_ewt": DataSet(
        what="English Web Treebank: 16,622 sentences with parts of speech",
        licence="CC BY-SA 4.0",
        size="18 MB",
        home="https://universaldependencies.org",
        holds=tuple(f"en_ewt-ud-{part}.conllu" for part in ("train", "dev", "test")),
        sources=_files(
            _github(
                "UniversalDependencies/UD_English-EWT", "15d613d8447b3478787d4c278730a1e48a945efb"
            ),
            checksums.UD_ENGLISH_EWT,
        ),
    ),
    "wikitext-2": DataSet(
        what="articles of Wikipedia, 2,088,628 words to train on",
        licence="CC BY-SA",
        size="13 MB",
        home="https://wikitext.smerity.com",
        holds=("train.txt", "valid.txt", "test.txt"),
        sources=_files(
            _github(*PYTORCH_EXAMPLES, "word_language_model/data/wikitext-2/"), checksums.WIKITEXT_2
        ),
    ),
    "wikitext-103": DataSet(
        what="articles of Wikipedia, 103 million words to train on",
        licence="CC BY-SA",
        size="190 MB, unpacked about 540 MB",
        home="https://wikitext.smerity.com",
        holds=("train.txt", "valid.txt", "test.txt"),
        sources=(
            Archive(
                "https://wikitext.smerity.com/wikitext-103-v1.zip",
                "242ba0f20b329cfdf1ccc61e9e9e5b59becf189db7f7a81cd2a0e2fc31539590",
                {r"wikitext-103/wiki\.(train|valid|test)\.tokens": r"\1.txt"},
            ),
        ),
    ),
}
