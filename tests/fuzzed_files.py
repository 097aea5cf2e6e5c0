"""Files that readers could meet in place of good ones: damaged at random, or hostile."""

import random
import zipfile
from functools import cache
from io import BytesIO

TOKENS = (
    *(
        b"\0",
        b"\xff",
        b"\xe2\x80\xa8",
        b"\xcc\x81",
        b"\n",
        b"\r",
        b"\t",
        b" ",
        b"{",
        b"[",
        b'"',
        b":",
    ),
    *(
        b"NaN",
        b"1e999",
        b"-1",
        b"9" * 5000,
        b"[" * 3000,
        b"true",
        b"null",
        b"&a [*a, *a]",
        b"!!int x",
    ),
)


def damaged(whole: bytes, draw: random.Random) -> bytes:
    """One to four changes: flips, cuts, repetitions, and pieces that formats give a meaning."""
    data = bytearray(whole)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(data) + 1)
        until = min(len(data), at + draw.choice((1, 2, 10, 1000)))
        match draw.randrange(5):
            case 0 if at < len(data):
                data[at] ^= 1 << draw.randrange(8)
            case 1:
                del data[at:until]
            case 2:
                data[at:at] = data[at:until] * draw.choice((1, 2, 50))
            case 3:
                data[at:until] = draw.choice(TOKENS)
            case _:
                data[at:at] = draw.choice(TOKENS)
    return bytes(data)


@cache
def hostile() -> dict[str, bytes]:
    """Contents that cost much to read, by what they are."""
    return {
        "empty": b"",
        "deep": b"[" * 100_000,
        "deep mappings": b"{a: " * 5_000,
        "zeros": bytes(100_000),
        "one long line": b"word " * 200_000,
        "aliases": b"a: &a [x, x]\n"
        + b"".join(b"%c: &%c [*%c, *%c]\n" % (98 + i, 98 + i, 97 + i, 97 + i) for i in range(24)),
        "bomb": _bomb(),
        "encrypted": _flagged(_bomb(), 0x1, 8),
        "unknown method": _flagged(_bomb(), 0x0, 99),
    }


def _bomb() -> bytes:
    """An archive of 100 kB whose member is 100 MB."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images_background/Futurama/character01/0001_01.png", bytes(10**8))
    return out.getvalue()


def _flagged(data: bytes, flags: int, method: int) -> bytes:
    """The archive with other flags and another method in the headers of its member."""
    changed = bytearray(data)
    directory = data.rindex(b"PK\1\2")
    for start in (6, directory + 8):
        changed[start : start + 2] = flags.to_bytes(2, "little")
        changed[start + 2 : start + 4] = method.to_bytes(2, "little")
    return bytes(changed)
