"""A real Kubernetes on this machine, in one process tree, without a container engine or an image registry.

`cluster` is the interface for callers. On the host: `layout` (file locations), `record` (what `up` decided),
`network` (addresses and the link), `cgroups`, `pki`, `configuration` and `components` (files and arguments of
the programs), `images`, `defaults` (objects in the cluster) and `processes` (the node's processes). In the
node's namespaces: `node`, their first process.
"""
