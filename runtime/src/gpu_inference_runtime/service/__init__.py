"""The way of a request, with no HTTP library in it: queue, slots, timeout, refusals, ids, swagger."""
