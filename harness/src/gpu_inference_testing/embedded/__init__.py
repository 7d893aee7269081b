"""A real Kubernetes on this machine, in one process tree, with no container engine and no image registry.

`cluster` is what callers use. On the host: `layout` (the folder and its lock), `network` (addresses and the
link), `cgroups`, `pki`, `configuration` and `components` (what the programs are told), `processes` (finding
and ending the node). Inside: `node`, the first process of the node's own namespaces.
"""
