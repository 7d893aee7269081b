{{/*
Rules for the number of pods: the cap, by which all pods together never need more GPUs than the pool has, and the
autoscaler's parameters.
*/}}

{{- define "gpu-inference.poolErrors" -}}
{{- $deployment := .Values.deployment -}}
{{- $errors := list -}}
{{- $perPod := int64 $deployment.gpu_cores -}}
{{- $pool := int64 .Values.cluster.gpu_count -}}
{{- /* All fields have the same limit. Those of a disabled autoscaler break another rule. */ -}}
{{- $fields := list "num_replicas" -}}
{{- if $deployment.autoscale_enabled }}{{ $fields = list "num_replicas" "autoscale_min_replicas" "autoscale_max_replicas" }}{{ end -}}
{{- if gt $perPod $pool -}}
  {{- $pods := 1 -}}
  {{- range $fields }}{{ $pods = max $pods (get $deployment . | default 1 | int64) }}{{ end -}}
  {{- $errors = append $errors (printf "deployment.gpu_cores is %d, but cluster.gpu_count is %d, too few for one pod: set cluster.gpu_count to %d if the cluster has that many GPUs for this service, or deployment.gpu_cores to 0 to run on CPU." $perPod $pool (mul $pods $perPod)) -}}
{{- else if gt $perPod 0 -}}
  {{- $most := div $pool $perPod -}}
  {{- range $field := $fields -}}
    {{- $pods := get $deployment $field | default 1 | int64 -}}
    {{- if gt $pods $most -}}
      {{- $needed := mul $pods $perPod -}}
      {{- $errors = append $errors (printf "deployment.%s %d with deployment.gpu_cores %d needs %d GPUs, but cluster.gpu_count is %d: set deployment.%s to %d or fewer, or cluster.gpu_count to %d if the cluster has that many GPUs for this service." $field $pods $perPod $needed $pool $field $most $needed) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{ $errors | toJson }}
{{- end }}

{{- define "gpu-inference.replicaErrors" -}}
{{- $deployment := .Values.deployment -}}
{{- $errors := list -}}
{{- if $deployment.autoscale_enabled -}}
  {{- if hasKey $deployment "num_replicas" -}}
    {{- $errors = append $errors "Invalid configuration, autoscale enabled and num_replicas provided." -}}
  {{- end -}}
  {{- $fewest := $deployment.autoscale_min_replicas | default 1.0 -}}
  {{- if gt $fewest ($deployment.autoscale_max_replicas | default 10.0) -}}
    {{- $default := ternary "" " (It is 10 unless given.)" (hasKey $deployment "autoscale_max_replicas") -}}
    {{- $errors = append $errors (printf "Invalid configuration, autoscale_min_replicas cannot be greater than autoscale_max_replicas.%s" $default) -}}
  {{- end -}}
  {{- if and (eq .Values.autoscaling.engine "hpa") (not .Values.autoscaling.externalMetric.name) -}}
    {{- $errors = append $errors "autoscaling.engine is hpa, which needs a metric: set autoscaling.externalMetric.name to one of external.metrics.k8s.io with the busy slots of all pods, or use the engine keda." -}}
  {{- end -}}
{{- else -}}
  {{- if and (hasKey $deployment "autoscale_enabled") (not (hasKey $deployment "num_replicas")) -}}
    {{- $errors = append $errors "Invalid configuration, autoscale disabled but num_replicas not provided." -}}
  {{- end -}}
  {{- range $option := list "autoscale_min_replicas" "autoscale_max_replicas" "autoscale_refresh_seconds" "autoscale_target_utilization" -}}
    {{- if hasKey $deployment $option -}}
      {{- $errors = append $errors (printf "Invalid configuration, %s provided without enabling autoscaling." $option) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{ $errors | toJson }}
{{- end }}
