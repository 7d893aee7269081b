// What holds a pod's namespaces open. Standard library only.
module gpu-inference/pause

go 1.26.0
