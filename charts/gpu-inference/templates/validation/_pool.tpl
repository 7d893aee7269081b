{{/* The cap: all pods together never need more GPUs than the cluster lends to the service. */}}

{{- define "gpu-inference.poolProblems" -}}
{{- $deployment := (index . 1).deployment -}}
{{- $problems := list -}}
{{- $perPod := int64 $deployment.gpu_cores -}}
{{- $pool := int64 (index . 1).cluster.gpu_count -}}
{{- /* Each has the same limit, and a sentence of its own. Those of an autoscaler that is off break another rule. */ -}}
{{- $fields := list "num_replicas" -}}
{{- if $deployment.autoscale_enabled }}{{ $fields = list "num_replicas" "autoscale_min_replicas" "autoscale_max_replicas" }}{{ end -}}
{{- if gt $perPod $pool -}}
  {{- $pods := 1 -}}
  {{- range $fields }}{{ $pods = max $pods (get $deployment . | default 1 | int64) }}{{ end -}}
  {{- $problems = append $problems (printf "deployment.gpu_cores is %d, but cluster.gpu_count is %d, too few for one pod: set cluster.gpu_count to %d if the cluster has that many GPUs for this service, or deployment.gpu_cores to 0 to run on CPU." $perPod $pool (mul $pods $perPod)) -}}
{{- else if gt $perPod 0 -}}
  {{- $most := div $pool $perPod -}}
  {{- range $field := $fields -}}
    {{- $pods := get $deployment $field | default 1 | int64 -}}
    {{- if gt $pods $most -}}
      {{- $needed := mul $pods $perPod -}}
      {{- $problems = append $problems (printf "deployment.%s %d with deployment.gpu_cores %d needs %d GPUs, but cluster.gpu_count is %d: set deployment.%s to %d or fewer, or cluster.gpu_count to %d if the cluster has that many GPUs for this service." $field $pods $perPod $needed $pool $field $most $needed) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{ $problems | toJson }}
{{- end }}
