"""What happens to a scoring request: admission, queue, time limits, outcome. No HTTP, no threads, no clock of its own."""
