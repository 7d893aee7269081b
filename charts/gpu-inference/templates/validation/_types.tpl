{{/* That numbers are numbers, and in range: what the schema says too, but not under --skip-schema-validation. */}}

{{- define "gpu-inference.numberErrors" -}}
{{- $deployment := .Values.deployment -}}
{{- $errors := list -}}
{{- range $name := list "cpu_cores" "cpu_cores_limit" "memory_gb" "memory_gb_limit" -}}
  {{- if hasKey $deployment $name -}}
    {{- $number := get $deployment $name -}}
    {{- if not (kindIs "float64" $number) -}}
      {{- $errors = append $errors (printf "deployment.%s must be a number." $name) -}}
    {{- else if le $number 0.0 -}}
      {{- $errors = append $errors (printf "Invalid configuration, %s must be greater than zero." $name) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- range $name := list "num_replicas" "autoscale_min_replicas" "autoscale_max_replicas" "autoscale_refresh_seconds" "autoscale_target_utilization" "scoring_timeout_ms" "replica_max_concurrent_requests" "max_request_wait_time" "initial_delay_seconds" "period_seconds" "timeout_seconds" "success_threshold" "failure_threshold" -}}
  {{- if hasKey $deployment $name -}}
    {{- $number := get $deployment $name -}}
    {{- if include "gpu-inference.isWhole" $number | ne "true" -}}
      {{- $errors = append $errors (printf "deployment.%s must be a whole number, at most 2147483647." $name) -}}
    {{- else if lt $number 1.0 -}}
      {{- $errors = append $errors (printf "Invalid configuration, %s must be greater than zero." $name) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if include "gpu-inference.isWhole" $deployment.gpu_cores | ne "true" -}}
  {{- $errors = append $errors "deployment.gpu_cores must be a whole number, at most 2147483647." -}}
{{- else if lt $deployment.gpu_cores 0.0 -}}
  {{- $errors = append $errors "Invalid configuration, gpu_cores must be greater than or equal to zero." -}}
{{- end -}}
{{- range $path, $number := dict "autoscaling.scaleDownStabilizationSeconds" .Values.autoscaling.scaleDownStabilizationSeconds "cluster.gpu_count" .Values.cluster.gpu_count "cluster.quota.gpus" .Values.cluster.quota.gpus "drain.preStopSleepSeconds" .Values.drain.preStopSleepSeconds "drain.seconds" .Values.drain.seconds "rollout.pullSeconds" .Values.rollout.pullSeconds -}}
  {{- if include "gpu-inference.isWhole" $number | ne "true" -}}
    {{- $errors = append $errors (printf "%s must be a whole number, at most 2147483647." $path) -}}
  {{- else if lt $number 0.0 -}}
    {{- $errors = append $errors (printf "%s must be greater than or equal to zero." $path) -}}
  {{- end -}}
{{- end -}}
{{- range $path, $number := dict "batching.maxBytes" .Values.batching.maxBytes "batching.maxRows" .Values.batching.maxRows "dataCollection.maxFileSizeMb" .Values.dataCollection.maxFileSizeMb "dataCollection.maxTotalSizeMb" .Values.dataCollection.maxTotalSizeMb "podDisruptionBudget.maxUnavailable" .Values.podDisruptionBudget.maxUnavailable -}}
  {{- if include "gpu-inference.isWhole" $number | ne "true" -}}
    {{- $errors = append $errors (printf "%s must be a whole number, at most 2147483647." $path) -}}
  {{- else if lt $number 1.0 -}}
    {{- $errors = append $errors (printf "%s must be greater than zero." $path) -}}
  {{- end -}}
{{- end -}}
{{- $ratio := .Values.telemetry.samplingRatio -}}
{{- if not (and (kindIs "float64" $ratio) (ge (float64 $ratio) 0.0) (le (float64 $ratio) 1.0)) -}}
  {{- $errors = append $errors "telemetry.samplingRatio must be a number from 0 to 1." -}}
{{- end -}}
{{- $sizeGb := .Values.sharedMemory.sizeGb -}}
{{- if not (kindIs "float64" $sizeGb) -}}
  {{- $errors = append $errors "sharedMemory.sizeGb must be a number." -}}
{{- else if lt $sizeGb 0.0 -}}
  {{- $errors = append $errors "sharedMemory.sizeGb must be greater than or equal to zero." -}}
{{- end -}}
{{ $errors | toJson }}
{{- end }}

{{/*
"true" for a whole number that fits into 32 bits, in which Kubernetes keeps it. More would overflow in the products
of the cap, and text would count as 0 there. All numbers are floats here, because the values went through JSON.
*/}}
{{- define "gpu-inference.isWhole" -}}
{{- if kindIs "float64" . -}}
{{- and (eq . (floor .)) (le . 2147483647.0) -}}
{{- end -}}
{{- end }}
