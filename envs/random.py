"""A counter-based random stream for each game, used inside the compiled rules.

The generator is SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
Generators", OOPSLA 2014): the whole state of a stream is one counter, and a draw is a hash of it.
A level depends only on the seed of its own game and on how many draws that game has made, never on
how games are spread over batches, workers or threads.

In every function `streams` is uint64 `[N]` and `i` the game that draws.
"""

import numpy as np
from numba import njit, uint64

GOLDEN = 0x9E3779B97F4A7C15


@njit(cache=True, nogil=True, inline="always")
def mix(z):
    """Hash 64 bits to 64 bits."""
    z = (z ^ (z >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> uint64(27))) * uint64(0x94D049BB133111EB)
    return z ^ (z >> uint64(31))


@njit(cache=True, nogil=True)
def start(streams, seeds, mask):
    """Restart the masked streams from their seeds.

    The seed is hashed first: neighbouring seeds give counters that are far apart.
    """
    for i in range(len(streams)):
        if mask[i]:
            streams[i] = mix(seeds[i] + uint64(GOLDEN))


@njit(cache=True, nogil=True, inline="always")
def draw(streams, i):
    """64 random bits."""
    streams[i] += uint64(GOLDEN)
    return mix(streams[i])


@njit(cache=True, nogil=True, inline="always")
def below(streams, i, n):
    """A uniform integer in `[0, n)`, for n up to 2**32; the bias is under n / 2**32."""
    return np.int64(((draw(streams, i) >> uint64(32)) * uint64(n)) >> uint64(32))


@njit(cache=True, nogil=True, inline="always")
def uniform(streams, i):
    """A uniform double in `[0, 1)`."""
    return np.float64(draw(streams, i) >> uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True, nogil=True)
def fill_uniform(streams, out):
    """Uniform numbers in `[0, 1]` for all streams at once, in the caller's `[N, draws]`."""
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = uniform(streams, i)
