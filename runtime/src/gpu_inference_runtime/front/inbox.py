"""Shared memory that holds requests for the script processes: blocks and their headers."""

import mmap
import os

from gpu_inference_script.protocol import (
    ABANDONED,
    AREAS,
    BEGUN,
    BLOCK,
    BLOCK_SIZE,
    FIXED_SIZE,
    HAS_TRACE,
    INTERRUPT,
    MIB,
    OWNER,
    PAGE,
    STATE,
)

# Freed large blocks keep up to this much memory for the next ones; the rest goes back to the system.
_KEPT_BYTES = 16 * MIB
# Most requests fit into a block of this size.
_SMALL = AREAS[0][0]
# Blocks of at least this size may return their memory to the system when they are freed.
_LARGE = AREAS[1][0]
_REST_OF_HEADER = bytes(BLOCK_SIZE - BLOCK.size)
_NO_TRACE = (b"", b"", 0)

Trace = tuple[bytes, bytes, int]
"""Trace id (16 bytes), span id (8 bytes), flags."""


class Block:
    """A block of the inbox: it holds one request, and then its reply.

    Args:
        view: the mapped memory that contains the block.
        base: where the block begins in `view`.
        offset: where the block begins in the inbox.
        capacity: the block's size in bytes.
    """

    __slots__ = ("base", "body_at", "capacity", "offset", "view")

    def __init__(self, view: memoryview, base: int, offset: int, capacity: int) -> None:
        self.view = view
        self.base = base
        self.offset = offset
        self.capacity = capacity
        self.body_at = 0

    def write(
        self,
        request_id: bytes,
        peers: bytes,
        head: bytes,
        body: bytes | bytearray,
        body_length: int,
        trace: Trace | None,
    ) -> None:
        """Write a request, except for the part of its body that has not arrived yet.

        Args:
            request_id: the id in the script's log lines.
            peers: `CLIENT PORT SERVER PORT`.
            head: the head of the HTTP request, as the client sent it.
            body: what has arrived of the body.
            body_length: length of the whole body in bytes.
            trace: the parent of the script's own spans; None if there is none.
        """
        self.body_at = BLOCK_SIZE + len(request_id) + len(peers) + len(head)
        flags = HAS_TRACE if trace else 0
        lengths = (len(request_id), len(peers), len(head))
        header = BLOCK.pack(
            0, 0, 0, 0, *lengths, flags, self.capacity, self.body_at, body_length, *(trace or _NO_TRACE)
        )
        data = b"".join((header, _REST_OF_HEADER, request_id, peers, head, body))
        self.view[self.base : self.base + len(data)] = data

    def room_for_body(self, at: int) -> memoryview:
        """Return the memory from a position in the body to the end of the block."""
        return self.view[self.base + self.body_at + at : self.base + self.capacity]

    # Single bytes of the header, which the script process may read or write at any time

    @property
    def begun_by(self) -> int:
        """The index of the process that has begun the call, from 1; 0 if none has."""
        return self.view[self.base + OWNER] if self.view[self.base + STATE] == BEGUN else 0

    def abandon(self) -> None:
        """Mark the call to be skipped if it has not begun."""
        self.view[self.base + ABANDONED] = 1

    @property
    def interrupt(self) -> bool:
        """Whether the call should end and the script process has not noticed yet."""
        return bool(self.view[self.base + INTERRUPT])

    @interrupt.setter
    def interrupt(self, value: bool) -> None:
        self.view[self.base + INTERRUPT] = value


class Inbox:
    """Allocates blocks in a memory file that the script processes inherit."""

    def __init__(self) -> None:
        # docs/decisions.md 47
        self.descriptor = os.memfd_create("gpu-inference-inbox", os.MFD_CLOEXEC)
        os.ftruncate(self.descriptor, FIXED_SIZE)
        self._map = mmap.mmap(self.descriptor, FIXED_SIZE)
        self._view = memoryview(self._map)
        self._free: list[list[Block]] = [[] for _ in AREAS]
        self._unused: list[tuple[int, int]] = []
        begin = 0
        for size, number in AREAS:
            self._unused.append((begin, begin + size * number))
            begin += size * number
        self._kept = 0
        # Blocks beyond the areas are used once. Their space is reused when all of them are free.
        self._end = FIXED_SIZE
        self._behind = 0

    def allocate(self, size: int) -> Block:
        """Return a block of at least `size` bytes.

        Raises:
            OSError: there is no memory left.
        """
        if size <= _SMALL and self._free[0]:
            return self._free[0].pop()
        for area, (block_size, _) in enumerate(AREAS):
            if size <= block_size:
                if free := self._free[area]:
                    block = free.pop()
                    if block_size >= _LARGE:
                        self._kept = max(0, self._kept - block_size)
                    return block
                begin, end = self._unused[area]
                if begin < end:
                    self._unused[area] = (begin + block_size, end)
                    return Block(self._view, begin, begin, block_size)
        return self._allocate_behind(size)

    def free(self, block: Block) -> None:
        """Free a block."""
        if block.capacity == _SMALL:
            self._free[0].append(block)
            return
        if block.offset >= FIXED_SIZE:
            self._free_behind(block)
            return
        if block.capacity >= _LARGE:
            if self._kept + block.capacity > _KEPT_BYTES:
                self._map.madvise(mmap.MADV_REMOVE, block.base, block.capacity)
            else:
                self._kept += block.capacity
        for area, (block_size, _) in enumerate(AREAS):
            if block.capacity == block_size:
                self._free[area].append(block)

    def _allocate_behind(self, size: int) -> Block:
        capacity = -(-size // PAGE) * PAGE
        offset = self._end
        if os.fstat(self.descriptor).st_size < offset + capacity:
            os.ftruncate(self.descriptor, offset + capacity)
        view = memoryview(mmap.mmap(self.descriptor, capacity, offset=offset))
        # Changed last, so that nothing has changed if there is no memory.
        self._end += capacity
        self._behind += 1
        block = Block(view, 0, offset, capacity)
        # The script process reads the capacity first.
        BLOCK.pack_into(view, 0, *(0, 0, 0, 0, 0, 0, 0, 0, capacity, BLOCK_SIZE, 0, *_NO_TRACE))
        return block

    def _free_behind(self, block: Block) -> None:
        memory = block.view.obj
        assert isinstance(memory, mmap.mmap)
        memory.madvise(mmap.MADV_REMOVE)
        self._behind -= 1
        if not self._behind:
            self._end = FIXED_SIZE
