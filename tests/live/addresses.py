"""Addresses for the clusters that tests bring up at a chosen place."""

from ipaddress import IPv4Network

from gpu_inference_testing.embedded import network

# Where clusters find a place by themselves, those of the other worker among them, at any moment.
_CHOSEN_BY_THEMSELVES = IPv4Network("10.0.0.0/8")


def free_block() -> str:
    """Return a block of addresses that is free on this host, and stays so."""
    return str(network.choose([*network.addresses_in_use(), _CHOSEN_BY_THEMSELVES]).block)
