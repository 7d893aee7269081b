"""Makes the front's span of a request the parent of the spans that the script makes."""

import contextlib
from typing import Iterator, Tuple


@contextlib.contextmanager
def parent_span(trace: "Tuple[bytes, bytes, int]") -> "Iterator[None]":
    """Make a span the parent within the block.

    Args:
        trace: trace id (16 bytes), span id (8 bytes) and flags of the parent.
    """
    try:
        from opentelemetry import context
        from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context
    except ImportError:
        # The script has an environment of its own without OpenTelemetry, so it makes no spans.
        yield
        return
    trace_id, span_id, flags = trace
    parent = SpanContext(
        int.from_bytes(trace_id, "big"), int.from_bytes(span_id, "big"), True, TraceFlags(flags)
    )
    token = context.attach(set_span_in_context(NonRecordingSpan(parent)))
    try:
        yield
    finally:
        context.detach(token)
