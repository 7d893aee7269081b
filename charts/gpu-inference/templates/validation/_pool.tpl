{{/* The cap: all pods together never need more GPUs than the cluster lends to the service. */}}

{{- define "gpu-inference.poolProblems" -}}
{{- $values := index . 1 -}}
{{- $problems := list -}}
{{- $replicas := int64 (default 1 $values.deployment.num_replicas) -}}
{{- $perPod := int64 $values.deployment.gpu_cores -}}
{{- $pool := int64 $values.cluster.gpu_count -}}
{{- $needed := mul $replicas $perPod -}}
{{- if gt $perPod $pool -}}
  {{- $problems = append $problems (printf "deployment.gpu_cores is %d, but cluster.gpu_count is %d, too few for one pod: set cluster.gpu_count to %d if the cluster has that many GPUs for this service, or deployment.gpu_cores to 0 to run on CPU." $perPod $pool $needed) -}}
{{- else if gt $perPod 0 -}}
  {{- $most := div $pool $perPod -}}
  {{- if gt $replicas $most -}}
    {{- $problems = append $problems (printf "deployment.num_replicas %d with deployment.gpu_cores %d needs %d GPUs, but cluster.gpu_count is %d: set deployment.num_replicas to %d or fewer, or cluster.gpu_count to %d if the cluster has that many GPUs for this service." $replicas $perPod $needed $pool $most $needed) -}}
  {{- end -}}
{{- end -}}
{{ $problems | toJson }}
{{- end }}
