"""The memory that a script process shares with the front: the inbox, and the process's outbox."""

import mmap
import os
from typing import Any, Dict, List, Tuple

from gpu_inference_script.protocol import BLOCK, FIXED_SIZE, KIB, MIB, PAGE

OUTBOX_SIZE = 64 * MIB
"""Bytes of the outbox that both sides keep mapped."""
_MIN_SIZE, _MAX_SIZE = 16 * KIB, 4 * MIB


class Inbox:
    """The requests, in blocks that the front allocates."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._view = memoryview(mmap.mmap(descriptor, FIXED_SIZE))

    def block(self, offset: int) -> "Tuple[memoryview, int, Tuple[Any, ...]]":
        """Return the memory that contains a block, the block's position in it, and its header's fields."""
        if offset < FIXED_SIZE:
            return self._view, offset, BLOCK.unpack_from(self._view, offset)
        with mmap.mmap(self._descriptor, PAGE, offset=offset) as head:
            capacity = BLOCK.unpack_from(head)[8]
        # The view keeps the mapping alive while the script refers to it.
        view = memoryview(mmap.mmap(self._descriptor, capacity, offset=offset))
        return view, 0, BLOCK.unpack_from(view)


class Outbox:
    """Replies that do not fit into the block of their request. Not thread-safe."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._view = memoryview(mmap.mmap(descriptor, OUTBOX_SIZE))
        self._used = 0
        self._free: "Dict[int, List[int]]" = {}
        self._sizes: "Dict[int, int]" = {}
        # Blocks beyond the mapped part are used once. Their space is reused when all of them are free.
        self._end = OUTBOX_SIZE
        self._large = 0

    def write(self, head: bytes, body: bytes) -> int:
        """Write head and body, one after the other; return their offset."""
        needed = len(head) + len(body)
        size = _MIN_SIZE
        while size < needed:
            size *= 2
        free = self._free.setdefault(size, [])
        if not free and (size > _MAX_SIZE or self._used + size > OUTBOX_SIZE):
            return self._write_behind(head, body)
        if free:
            offset = free.pop()
        else:
            offset = self._used
            self._used += size
        self._sizes[offset] = size
        middle = offset + len(head)
        self._view[offset:middle] = head
        self._view[middle : middle + len(body)] = body
        return offset

    def free(self, offset: int) -> None:
        """Free a block that the front has read."""
        if offset < OUTBOX_SIZE:
            self._free[self._sizes.pop(offset)].append(offset)
            return
        self._large -= 1
        if not self._large:
            self._end = OUTBOX_SIZE

    def _write_behind(self, head: bytes, body: bytes) -> int:
        offset = self._end
        size = -(-(len(head) + len(body)) // PAGE) * PAGE
        self._end += size
        self._large += 1
        if os.fstat(self._descriptor).st_size < self._end:
            os.ftruncate(self._descriptor, self._end)
        with mmap.mmap(self._descriptor, size, offset=offset) as block:
            block[: len(head)] = head
            block[len(head) : len(head) + len(body)] = body
        return offset
