"""Regular expressions of words in any script.

A word of Hindi or of unnormalised Vietnamese has combining marks, which are no letters to `\\w`.
"""

import sys
from functools import cache
from itertools import groupby
from unicodedata import category

JOINERS = "\u200c\u200d"
"""Characters without width within words of Persian and Hindi."""


@cache
def marks() -> str:
    """Combining marks and joiners, as the inside of a character class."""
    codes = [code for code in range(0x300, sys.maxunicode + 1) if category(chr(code))[0] == "M"]
    runs = [list(run) for _, run in groupby(enumerate(codes), lambda pair: pair[1] - pair[0])]
    return JOINERS + "".join(f"{chr(run[0][1])}-{chr(run[-1][1])}" for run in runs)
