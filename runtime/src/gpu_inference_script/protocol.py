"""The protocol between the front and a script process: shared memory, and small records through pipes.

The front starts a script process with these file descriptors, named on its command line (`Channels`):

- `calls` (pipe, read): one `CALL` record per request. All script processes read the same pipe, so a free
  process takes the next request.
- `orders` (pipe, read): `ORDER` records for this process alone.
- `replies` (pipe, write): `REPLY` records.
- `inbox` (memory file): the requests. The front allocates and frees its blocks.
- `outbox` (memory file): replies that do not fit into the block of their request. The script process
  allocates its blocks, and frees each when the front orders `FREE`.

Each request has one block of the inbox. It begins with a `BLOCK` header, followed by the request's id, the
peers' addresses (`CLIENT PORT SERVER PORT`), the head of the HTTP request as the client sent it, and the
body. The script process may overwrite everything but the header with its reply. One `REPLY` ends each `CALL`,
unless the process dies; the front reuses a block only after that.

One side may write single bytes of the header while the other reads them. Everything else is written before
the record that announces it is written to a pipe.
"""

import signal
import struct

VERSION = 1
"""Increase it with every incompatible change. The `READY` document carries it."""

# CALL: id of the call, offset of its block in the inbox.
CALL = struct.Struct("=QQ")

# ORDER: what to do, number (id of a call, or offset in the outbox).
ORDER = struct.Struct("=QQ")
NEXT_PART, CLOSE_STREAM, FREE, STOP = range(4)

# REPLY: kind, flags, HTTP status, length of the head, id of the call, offset, length of the body,
# seconds inside run(), number (see the kinds).
REPLY = struct.Struct("=BBHIQQQdQ")
# RESPONSE ends a call. STREAM is the head and first part of a body, PART another part; END means that the
# body is complete, BROKEN that it is not. SKIPPED ends a call that was abandoned before it began. READY
# carries a JSON document; COUNT reports `length of the body` rows of collected model data, written (number 1)
# or dropped (number 0). For STREAM, the number is the Content-Length that the script set, plus 1, or 0 if it
# set none.
RESPONSE, STREAM, PART, END, BROKEN, SKIPPED, READY, COUNT = range(8)
# Flags. IN_OUTBOX: the offset is in the outbox, not in the inbox. CLOSE: the connection closes after the
# response. HAS_REASON: the head begins with the reason phrase and a line end. REFUSED: run() was not called,
# because the request is not what it takes.
IN_OUTBOX, CLOSE, HAS_REASON, REFUSED = 1, 2, 4, 8

# BLOCK: state (by the script process), abandoned (by the front), interrupt (by the front; cleared by the
# script process when the signal has been delivered), process that began the call (1 and up), length of the
# id, length of the peers, length of the head, flags, capacity of the block, offset of the body, length of
# the body, trace id, span id, trace flags.
BLOCK = struct.Struct("=BBBBHHIIQQQ16s8sB")
BLOCK_SIZE = 96
STATE, ABANDONED, INTERRUPT, OWNER = range(4)
WAITING, BEGUN = range(2)
HAS_TRACE = 1

# docs/decisions.md 61
INTERRUPT_SIGNAL = signal.SIGURG
"""Sent repeatedly to a script process while the interrupt byte is set. Without a handler, it does nothing."""

# The inbox begins with areas, each with blocks of one size. Larger blocks follow, where the file grows.
KIB, MIB = 1024, 1024 * 1024
AREAS = ((16 * KIB, 4096), (256 * KIB, 256), (4 * MIB, 32))
"""Size and number of the blocks of each area. Memory is only used once it has been written to."""
FIXED_SIZE = sum(size * number for size, number in AREAS)
PAGE = 4096

# Exit statuses of a script process: it could not start the script (the log says why), or was ordered to stop.
START_FAILED, STOPPED = 3, 0
