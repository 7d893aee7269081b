"""Draws digits as text: two rows of pixels per line, several pictures side by side, no escape codes."""

from collections.abc import Sequence

import mnist_data
import numpy as np
import numpy.typing as npt

_GAP = "   "
# Grey levels from here on are ink: low enough that thin strokes do not break.
_INK = 0.3
# By whether the upper and the lower pixel of a character are ink.
_BLOCKS = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def draw(images: npt.NDArray[np.float32], captions: Sequence[str], width: int) -> str:
    """Return pictures of the images with a caption under each, as many side by side as the width takes.

    The margin that is empty in all of them is left out.

    Args:
        images: shape (n, 784), 0 (paper) to 1 (ink).
        captions: one line of text for each.
        width: columns of the terminal; one picture is drawn even if it is wider.
    """
    ink = images.reshape(-1, mnist_data.IMAGE_SIDE, mnist_data.IMAGE_SIDE) >= _INK
    rows, columns = np.flatnonzero(ink.any(axis=(0, 2))), np.flatnonzero(ink.any(axis=(0, 1)))
    if rows.size:
        ink = ink[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if ink.shape[1] % 2:
        ink = np.pad(ink, ((0, 0), (0, 1), (0, 0)))
    cell = max(ink.shape[2], *(len(caption) for caption in captions))
    pictures = [
        [line.ljust(cell) for line in (*_lines(picture), caption)]
        for picture, caption in zip(ink, captions, strict=True)
    ]
    beside = max(1, (width + len(_GAP)) // (cell + len(_GAP)))
    strips = [pictures[start : start + beside] for start in range(0, len(pictures), beside)]
    return "\n\n".join(
        "\n".join(_GAP.join(parts).rstrip() for parts in zip(*strip, strict=True)) for strip in strips
    )


def _lines(picture: npt.NDArray[np.bool_]) -> list[str]:
    """Return a picture's lines; it has an even number of rows."""
    return [
        "".join(_BLOCKS[bool(upper), bool(lower)] for upper, lower in zip(*pair, strict=True))
        for pair in zip(picture[::2], picture[1::2], strict=True)
    ]
