"""Data sets are fetched whole and checked, or not at all; from a server of the test's own."""

import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path
from threading import Event

import pooch
import pytest

from memory.supervised.data import data_folder
from memory.supervised.data.data_sets import SETS, Archive, DataSet, File
from memory.supervised.data.download import DownloadError, fetch, main
from memory.supervised.data.unpack import Unexpected, check, place_of

from .local_server import Answer, LocalServer, serving

ROOT = Path(__file__).parents[4]
A, B = b"a" * 5000, b"bb" * 70_000
PIECE = 1 << 16
"""What is written at once."""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def a_zip(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as zipped:
        for name, data in files.items():
            zipped.writestr(name, data)
    return stream.getvalue()


def a_tar(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tarred:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tarred.addfile(info, io.BytesIO(data))
    return stream.getvalue()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with serving() as server:
        yield server


@pytest.fixture
def add(monkeypatch):
    """Makes a data set of sources and what it holds."""

    def add(*sources, holds=("a.txt",), name="letters"):
        made = DataSet("letters", "none", "small", "https://letters.example", holds, sources)
        monkeypatch.setitem(SETS, name, made)

    return add


@pytest.fixture
def letters(add, server):
    """A data set of two files."""
    server.answers = {"/a": Answer(A), "/b": Answer(B)}
    add(
        File("a.txt", f"{server.root}/a", sha256(A)),
        File("more/b.txt", f"{server.root}/b", sha256(B)),
        holds=("a.txt", "more"),
    )
    return server


def tree(folder: Path) -> dict[str, bytes]:
    """All files below a folder, hidden ones too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


WHOLE = {"letters/a.txt": A, "letters/more/b.txt": B}


def test_files_are_fetched_into_the_folder_of_the_set(letters, tmp_path):
    assert fetch("letters", tmp_path) == tmp_path / "letters"
    assert tree(tmp_path) == WHOLE
    assert list(tmp_path.iterdir()) == [tmp_path / "letters"]


def test_others_of_the_machine_may_read_them(letters, tmp_path):
    fetch("letters", tmp_path)
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in tmp_path.rglob("*"))


def test_a_second_call_fetches_nothing(letters, tmp_path):
    fetch("letters", tmp_path)
    asked = list(letters.asked)
    assert fetch("letters", tmp_path) == tmp_path / "letters"
    assert letters.asked == asked


@pytest.mark.parametrize("pack", [a_zip, a_tar])
def test_members_of_an_archive_are_taken_as_the_set_says(add, server, tmp_path, pack):
    members = {
        "top/en/a.txt": A,
        "top/en/deep/b.txt": B,
        "top/other.txt": b"not asked for",
        "top/pictures/1.png": b"one",
        "top/pictures/2.png": b"two",
    }
    packed = pack(members)
    server.answers = {"/letters.pack": Answer(packed)}
    add(
        Archive(
            f"{server.root}/letters.pack",
            sha256(packed),
            {r"top/en/(.*)": r"en-\1", r"top/(pictures/\d\.png)": r"pictures.zip!\1"},
        ),
        holds=("en-a.txt",),
    )
    fetch("letters", tmp_path)
    found = tree(tmp_path)
    with zipfile.ZipFile(io.BytesIO(found.pop("letters/pictures.zip"))) as zipped:
        pictures = {name: zipped.read(name) for name in zipped.namelist()}
    assert pictures == {"pictures/1.png": b"one", "pictures/2.png": b"two"}
    assert found == {"letters/en-a.txt": A, "letters/en-deep/b.txt": B}


def test_a_wrong_checksum_names_the_file_and_both_sums_and_leaves_nothing(letters, tmp_path):
    letters.answers["/b"] = Answer(B + b"!")
    with pytest.raises(DownloadError) as caught:
        fetch("letters", tmp_path)
    for words in ("letters", "b.txt", f"{letters.root}/b", sha256(B), sha256(B + b"!")):
        assert words in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["", "git", "members"])
def test_contents_are_checked_where_an_archive_has_no_checksum(add, server, tmp_path, kind):
    inner = a_zip({"x": b"1", "y": b"2"})
    lines = f"{sha256(b'1')}  x\n{sha256(b'2')}  y\n"
    right = {
        "": sha256(inner),
        "git": hashlib.sha1(b"blob %d\0" % len(inner) + inner).hexdigest(),
        "members": sha256("".join(sorted(lines.splitlines(keepends=True))).encode()),
    }[kind]
    wrong = "0" * len(right)
    server.answers = {"/letters.zip": Answer(a_zip({"a.zip": inner}))}

    def expect(checksum):
        sums = {"a.zip": f"{kind}:{checksum}" if kind else checksum}
        archive = Archive(f"{server.root}/letters.zip", None, {r"a\.zip": "a.zip"}, sums)
        add(archive, holds=("a.zip",))

    expect(wrong)
    with pytest.raises(DownloadError, match=rf"letters: a\.zip: .*{right}, expected .*{wrong}"):
        fetch("letters", tmp_path)
    assert not list(tmp_path.iterdir())
    expect(right)
    fetch("letters", tmp_path)
    assert tree(tmp_path) == {"letters/a.zip": inner}


def test_a_truncated_answer_is_asked_for_again_and_leaves_nothing(letters, tmp_path):
    letters.answers["/b"] = Answer(B[:1000], declared=len(B))
    with pytest.raises(DownloadError, match=rf"{letters.root}/b gives no whole answer"):
        fetch("letters", tmp_path)
    assert letters.asked.count("/b") == 3
    assert not list(tmp_path.iterdir())


def test_a_server_that_recovers_is_no_error(letters, tmp_path):
    cut = Answer(B[:1000], declared=len(B))
    letters.answers["/b"] = [Answer(status=503), cut, Answer(B)]
    fetch("letters", tmp_path)
    assert tree(tmp_path) == WHOLE


@pytest.mark.parametrize(("status", "times"), [(404, 1), (403, 1), (500, 3)])
def test_a_refusal_says_what_to_do_by_hand(letters, tmp_path, status, times):
    letters.answers["/b"] = Answer(status=status)
    with pytest.raises(DownloadError) as caught:
        fetch("letters", tmp_path)
    message = str(caught.value)
    assert f"letters: {letters.root}/b answers {status}" in message
    assert f"put it into {tmp_path / 'letters'}, so that it has a.txt, more" in message
    assert "https://letters.example" in message
    assert letters.asked.count("/b") == times
    assert not list(tmp_path.iterdir())


def test_a_host_that_cannot_be_reached_says_what_to_do_by_hand(add, monkeypatch, tmp_path):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with serving() as gone:
        url = f"{gone.root}/a"
    add(File("a.txt", url, sha256(A)))
    with pytest.raises(DownloadError) as caught:
        fetch("letters", tmp_path)
    message = str(caught.value)
    assert f"{url} gives no whole answer (ConnectionError)" in message
    assert f"put it into {tmp_path / 'letters'}, so that it has a.txt" in message
    assert not list(tmp_path.iterdir())


def test_an_interrupted_download_leaves_nothing(letters, tmp_path, monkeypatch):
    def interrupted(self, url, file, store):
        Path(file).write_bytes(A[:10])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pooch.HTTPDownloader, "__call__", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch("letters", tmp_path)
    assert not list(tmp_path.iterdir())
    fetch("letters", tmp_path)
    assert tree(tmp_path) == WHOLE


def test_a_killed_download_is_not_taken_for_a_whole_one(letters, tmp_path):
    letters.answers["/b"] = Answer(B[:PIECE], declared=len(B), stall=(stall := Event()))
    script = (
        "import sys; from pathlib import Path; from memory.supervised.data.download import *\n"
        "from memory.supervised.data.data_sets import *\n"
        f"SETS['letters'] = DataSet(*{tuple(SETS['letters'][:-2])!r}, sources=(\n"
        f"    *(File(*file) for file in {[tuple(file) for file in SETS['letters'].sources]!r}),\n"
        "))\n"
        f"fetch('letters', Path({str(tmp_path)!r}))"
    )
    begun = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    until = time.monotonic() + 60
    while not any(len(data) == PIECE for data in tree(tmp_path).values()):
        assert time.monotonic() < until and begun.poll() is None
        stall.wait(0.05)
    begun.kill()
    begun.wait()
    stall.set()
    assert not (tmp_path / "letters").exists()
    letters.answers["/b"] = Answer(B)
    fetch("letters", tmp_path)
    assert WHOLE.items() <= tree(tmp_path).items()


@pytest.mark.parametrize("body", [b"<html>Please sign in</html>", a_zip({"a.txt": A})[:-100]])
def test_what_is_no_whole_archive_is_refused(add, server, tmp_path, body):
    server.answers = {"/letters.zip": Answer(body)}
    add(Archive(f"{server.root}/letters.zip", None, {r"a\.txt": "a.txt"}))
    with pytest.raises(DownloadError, match=r"letters: letters\.zip is no whole zip or tar file"):
        fetch("letters", tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_archive_without_what_is_wanted_is_refused(add, server, tmp_path):
    server.answers = {"/letters.zip": Answer(a_zip({"c.txt": A}))}
    add(Archive(f"{server.root}/letters.zip", None, {r"a\.txt": "a.txt"}))
    with pytest.raises(DownloadError, match=r"letters\.zip has no member like a\\\.txt"):
        fetch("letters", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../a.txt", "/a.txt"])
def test_nothing_is_written_outside_of_the_folder(add, server, tmp_path, name):
    server.answers = {"/letters.zip": Answer(a_zip({f"x{name}": A}))}
    add(Archive(f"{server.root}/letters.zip", None, {r"x(.*)": r"\1"}))
    with pytest.raises(DownloadError, match=rf"{re.escape(name)} would lie outside"):
        fetch("letters", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_named_by_way_of_another_will_do(add, server, tmp_path):
    server.answers = {"/letters.zip": Answer(a_zip({"a.txt": A}))}
    add(Archive(f"{server.root}/letters.zip", None, {r"a\.txt": "a.txt"}))
    (tmp_path / "other").mkdir()
    fetch("letters", tmp_path / "other" / ".." / "here")
    assert tree(tmp_path) == {"here/letters/a.txt": A}


def test_a_folder_that_lacks_something_is_left_alone_and_named(letters, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_bytes(b"mine")
    with pytest.raises(DownloadError, match=r"letters has no more: move it away"):
        fetch("letters", tmp_path)
    assert tree(tmp_path) == {"letters/a.txt": b"mine"}
    assert not letters.asked


def test_a_set_without_what_it_should_hold_is_refused(add, server, tmp_path):
    server.answers = {"/a": Answer(A)}
    add(File("a.txt", f"{server.root}/a", sha256(A)), holds=("a.txt", "z.txt"))
    with pytest.raises(DownloadError, match=r"has no z\.txt"):
        fetch("letters", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(letters, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError, match=r"cannot write to .*file/here.*--data"):
        fetch("letters", tmp_path / "file" / "here")


def test_the_command_fetches_into_the_folder_that_tasks_look_in(letters, tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_DATA", str(tmp_path / "named"))
    assert main(["letters"], "download.py") == 0
    monkeypatch.delenv("ENGRAM_DATA")
    monkeypatch.setattr(data_folder, "CACHE", tmp_path / "cache")
    assert main(["letters"], "download.py") == 0
    assert main(["letters", "--data", str(tmp_path / "given")], "download.py") == 0
    folders = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("a.txt")}
    assert folders == {"named", "cache", "given"}
    assert data_folder.find_data("letters", None, "a.txt") == tmp_path / "cache" / "letters"


def test_the_command_goes_on_after_a_failure_and_tells_of_it(letters, add, tmp_path, capsys):
    add(File("a.txt", f"{letters.root}/none", sha256(A)), name="runes")
    assert main(["runes", "letters", "--data", str(tmp_path)], "download.py") == 2
    printed = capsys.readouterr()
    assert f"letters: in {tmp_path / 'letters'}; name it by ENGRAM_DATA" in printed.out
    assert "download.py: error: runes: " in printed.err
    assert tree(tmp_path) == WHOLE


def test_an_interrupted_command_leaves_without_a_traceback(letters, tmp_path, monkeypatch, capsys):
    def interrupted(self, url, file, store):
        raise KeyboardInterrupt

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", interrupted)
    assert main(["letters", "--data", str(tmp_path)], "download.py") == 130
    assert "letters: interrupted, nothing of it is kept" in capsys.readouterr().err


def test_an_unknown_set_is_answered_with_the_nearest(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["babi", "wikitext2", "--data", str(tmp_path)], "download.py")
    assert "did you mean 'wikitext-2'?" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_no_name_at_all_is_answered_with_the_list(capsys):
    with pytest.raises(SystemExit, match="2"):
        main([], "download.py")
    assert "--list" in capsys.readouterr().err


def test_the_list_has_every_set_with_licence_size_and_source(capsys):
    assert main(["--list"], "download.py") == 0
    printed = capsys.readouterr().out
    for name, found in SETS.items():
        assert f"{name}: {found.what}" in printed
        assert found.licence in printed and found.size in printed and found.home in printed


@pytest.mark.parametrize("name", SETS)
def test_every_source_is_safe_to_fetch(name):
    paths = []
    for source in SETS[name].sources:
        assert source.url.startswith("https://")
        if isinstance(source, File):
            paths.append(source.path)
        if source.sha256 is None:
            assert isinstance(source, Archive) and source.checksums
        else:
            assert re.fullmatch(r"[0-9a-f]{64}", source.sha256)
    assert len(paths) == len(set(paths))
    assert all(not Path(path).is_absolute() and ".." not in path for path in paths)


NLVR = "nlvr-0a1b/nlvr"
PLACES = {
    "babi": {
        "tasks_1-20_v1-2/en/qa1_single-supporting-fact_test.txt": (
            "en/qa1_single-supporting-fact_test.txt"
        ),
        "tasks_1-20_v1-2/en-10k/qa3_three-supporting-facts_train.txt": (
            "en-10k/qa3_three-supporting-facts_train.txt"
        ),
        "tasks_1-20_v1-2/LICENSE.txt": "LICENSE.txt",
        "tasks_1-20_v1-2/en-valid-10k/qa1_train.txt": "",
    },
    "cifar10": {
        "cifar-10-batches-bin/data_batch_1.bin": "data_batch_1.bin",
        "cifar-10-batches-bin/batches.meta.txt": "batches.meta.txt",
        "cifar-10-batches-bin/readme.html": "",
    },
    "nlvr": {
        "nlvr-0a1b/README.md": "README_repo_licence.md",
        f"{NLVR}/train/train.json": "train.json",
        f"{NLVR}/hidden/hidden.json": "hidden.json",
        f"{NLVR}/train/images/12/train-10-2-0.png": (
            "images_train_k0.zip!train/images/12/train-10-2-0.png"
        ),
        f"{NLVR}/train/images/12/train-10-0-1.png": "",
        f"{NLVR}/dev/images/3/dev-10-0-5.png": "images_dev_all6.zip!dev/images/3/dev-10-0-5.png",
        "nlvr-0a1b/nlvr2/data/train.json": "",
    },
    "tatoeba_eng_spa": {"spa.txt": "spa.txt", "_about.txt": "_about.txt", "spa-eng/x.txt": ""},
    "wikitext-103": {
        "wikitext-103/wiki.train.tokens": "train.txt",
        "wikitext-103/wiki.valid.tokens": "valid.txt",
    },
}


def test_members_of_the_published_archives_go_where_tasks_read_them():
    archives = {
        name: source.take
        for name, found in SETS.items()
        for source in found.sources
        if isinstance(source, Archive)
    }
    assert archives.keys() == PLACES.keys()
    for name, places in PLACES.items():
        assert {member: place_of(member, archives[name])[1] for member in places} == places


REAL = os.environ.get("ENGRAM_DATA")
needs_data = pytest.mark.skipif(not REAL, reason="ENGRAM_DATA names no folder of data sets")
REPACKED = {"images_background.zip", "images_evaluation.zip"}
"""Not as published where the pictures were packed anew."""


@needs_data
@pytest.mark.parametrize("name", SETS)
def test_the_checksums_are_those_of_the_real_files(name):
    folder = Path(REAL or "") / name
    sums = {s.path: s.sha256 for s in SETS[name].sources if isinstance(s, File)}
    for source in SETS[name].sources:
        sums |= source.checksums if isinstance(source, Archive) else {}
    here = {path: sums[path] for path in sums if (folder / path).exists()}
    here = {path: here[path] for path in here if path not in REPACKED}
    if not here:
        pytest.skip(f"no file of {name} in {folder} has a checksum of its own")
    check(folder, here)
    with pytest.raises(Unexpected):
        check(folder, {next(iter(here)): "0" * 64})


@needs_data
@pytest.mark.parametrize("name", ["gutenberg", "ud_english_ewt", "wikitext-2", "tinyshakespeare"])
def test_a_set_that_is_fetched_is_the_real_one(name, server: LocalServer, monkeypatch, tmp_path):
    folder = Path(REAL or "") / name
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    sources = []
    for source in SETS[name].sources:
        assert isinstance(source, File)
        path = "/" + source.url.split("/", 3)[3]
        server.answers[path] = Answer((folder / source.path).read_bytes())
        sources.append(source._replace(url=server.root + path))
    monkeypatch.setitem(SETS, name, SETS[name]._replace(sources=tuple(sources)))
    assert tree(fetch(name, tmp_path)) == tree(folder)
