"""A digest of the data of a run."""

from collections.abc import Iterable
from hashlib import sha256

import numpy as np


def digest_of(arrays: Iterable[np.ndarray]) -> str:
    """Sixteen hexadecimal digits for some arrays, their types and their lengths, in their order."""
    digest = sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]
