"""Several bytes written at once, by the compiled code that draws.

A pixel is three bytes, and three stores cost three times one. So two pixels are made one word of
eight bytes and stored whole, over the two bytes too many of the word before.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def as_words(colours: np.ndarray, place: int) -> np.ndarray:
    """Colours uint8 `[n, 3]` as words of eight bytes, uint64 `[n]`; all other bytes are zero.

    Args:
        place: 0 for the first pixel of a word, 1 for the second.
    """
    padded = np.zeros((len(colours), 8), np.uint8)
    padded[:, 3 * place : 3 * place + 3] = colours
    return padded.view(np.uint64)[:, 0]


def _store(typing_context, array, offset, word):
    """Write a word over the bytes of a C-contiguous array from any offset on.

    Nothing is checked: the whole word must lie inside.
    """

    def generate(context, builder, signature, arguments):
        array, offset, word = arguments
        data = context.make_array(signature.args[0])(context, builder, array).data
        place = builder.bitcast(builder.gep(data, [offset]), word.type.as_pointer())
        builder.store(word, place, align=1)
        # Says nothing but that memory has changed: or LLVM gathers the words to store by vector
        # instructions, which takes twice the time.
        nothing = ir.FunctionType(ir.VoidType(), [])
        builder.asm(nothing, "", "~{memory}", [], side_effect=True)
        return context.get_dummy_value()

    return types.void(array, types.int64, word), generate


store: Any = intrinsic(_store)  # called without the context
