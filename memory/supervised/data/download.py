"""Download data sets: `python scripts/download.py babi`.

The folder of a set is created only after all files are complete and verified.
"""

# pyright: reportUnknownMemberType=false

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pooch  # pyright: ignore[reportMissingTypeStubs]
import requests

from memory.options import one_of
from memory.supervised.data.data_folder import VARIABLE, usual_folder
from memory.supervised.data.data_sets import SETS, File
from memory.supervised.data.unpack import Unexpected, check, unpack

RETRIES, TIMEOUT = 2, 30
"""After a broken connection; seconds without a byte that break one."""
HEADERS = {"User-Agent": "Mozilla/5.0 (compatible; engram)"}
"""The host of WikiText-103 refuses clients of libraries."""


class DownloadError(Exception):
    """A data set cannot be downloaded; the message says why and what to do."""


class Unreachable(DownloadError):
    """A download failed or is incomplete."""


def fetch(name: str, folder: Path) -> Path:
    """Download a data set to `folder / name` unless it exists; returns that folder.

    Raises:
        DownloadError: the download failed; no files are left.
    """
    target = folder / name
    if target.exists():
        _require(name, target, "move it away to download it again")
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{name}-", dir=folder) as part:
            whole = Path(part) / name
            whole.mkdir()
            _fetch_into(name, whole)
            whole.rename(target)
    except Unreachable as error:
        raise DownloadError(f"{name}: {error}\n{_by_hand(name, target)}") from None
    except Unexpected as error:
        raise DownloadError(f"{name}: {error}") from None
    except OSError as error:
        raise DownloadError(
            f"{name}: cannot write to {folder}: {error.strerror or error}. Name another by --data."
        ) from None
    return target


def _fetch_into(name: str, whole: Path) -> None:
    for source in SETS[name].sources:
        if isinstance(source, File):
            file = whole / source.path
            _transfer(source.url, source.sha256, file)
            file.chmod(0o644)  # pooch's are for the user alone
        else:
            archive = whole.parent / source.url.rpartition("/")[2]
            _transfer(source.url, source.sha256, archive)
            unpack(archive, source.take, whole)
            check(whole, source.checksums)
    _require(name, whole, "its sources have changed")


def _require(name: str, place: Path, advice: str) -> None:
    lacking = [wanted for wanted in SETS[name].holds if not (place / wanted).exists()]
    if lacking:
        raise DownloadError(f"{name}: {place} has no {', '.join(lacking)}: {advice}")


def _transfer(url: str, sha256: str | None, file: Path) -> None:
    """Download and verify one file; on an error no file is left."""
    known: Any = {file.name: sha256}
    get: Any = _http
    store = pooch.create(
        file.parent, "", registry=known, urls={file.name: url}, retry_if_failed=RETRIES
    )
    try:
        store.fetch(file.name, downloader=get)
    except requests.HTTPError as error:
        raise Unreachable(f"{url} answers {_status(error)}") from None
    except requests.RequestException as error:
        raise Unreachable(f"{url} gives no whole answer ({type(error).__name__})") from None
    except ValueError as error:  # names the file, the checksum expected and the one found
        raise Unexpected(f"{url}: {error}") from None


def _http(url: str, file: str, store: Any) -> None:
    """Download as pooch does, but without a retry after a client error."""
    shown = sys.stderr.isatty()
    get = pooch.HTTPDownloader(shown, chunk_size=1 << 16, timeout=TIMEOUT, headers=HEADERS)
    try:
        get(url, file, store)
    except requests.HTTPError as error:
        if _status(error) < 500:
            raise Unreachable(f"{url} answers {_status(error)}") from None
        raise


def _status(error: requests.HTTPError) -> int:
    return error.response.status_code if error.response is not None else 0


def _by_hand(name: str, target: Path) -> str:
    return (
        f"By hand: fetch it another way, from there or as {SETS[name].home} says, and put it into "
        f"{target}, so that it has {', '.join(SETS[name].holds)} (layout: docs/data.md)."
    )


def listing() -> str:
    """All sets, with size, licence and addresses."""
    lines: list[str] = []
    for name, found in SETS.items():
        hosts = sorted({source.url.split("/")[2] for source in found.sources})
        lines += [f"{name}: {found.what}", f"    {found.size}; licence: {found.licence}"]
        lines += [f"    from {', '.join(hosts)}; see {found.home}"]
    return "\n".join(lines)


def main(argv: list[str], program: str) -> int:
    """Download the named sets; returns 2 if one failed.

    Args:
        program: name for messages.
    """
    parser = argparse.ArgumentParser(program, description="Fetch data sets.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="data set, see --list")
    parser.add_argument("--list", action="store_true", help="list the data sets and exit")
    parser.add_argument(
        "--data", type=Path, help=f"folder that gets a folder for each [{VARIABLE} or the cache]"
    )
    asked = parser.parse_args(argv)
    if asked.list:
        print(listing())
        return 0
    if not asked.names:
        parser.error("name a data set, or ask for --list")
    try:
        for name in asked.names:
            one_of("NAME", name, SETS)
    except ValueError as error:
        parser.error(str(error))
    folder, status = asked.data or usual_folder(), 0
    for name in asked.names:
        try:
            place = fetch(name, folder)
        except DownloadError as error:
            print(f"{program}: error: {error}", file=sys.stderr)
            status = 2
        except KeyboardInterrupt:
            print(f"\n{name}: interrupted, nothing of it is kept", file=sys.stderr)
            return 130
        else:
            known = "" if folder == usual_folder() else f"; name it by {VARIABLE} or --task.data"
            print(f"{name}: in {place}{known}")
    return status
