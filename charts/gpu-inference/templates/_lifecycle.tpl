{{/* Times of a pod's life in whole seconds: how long it may start, and how long it may take to leave. */}}

{{/*
Tries of the startup probe, one per second: v1 gave init() the initial delay, and then as many checks as liveness has
failures.
*/}}
{{- define "gpu-inference.startupSeconds" -}}
{{- $deployment := (include "gpu-inference.values" . | fromJson).deployment -}}
{{ add (int64 $deployment.initial_delay_seconds) (mul (int64 $deployment.period_seconds) (int64 $deployment.failure_threshold)) }}
{{- end }}

{{/* A rollout is only failed when a pod has had its whole startup and ten minutes to pull its image besides. */}}
{{- define "gpu-inference.progressDeadlineSeconds" -}}
{{ add (include "gpu-inference.startupSeconds" .) 600 }}
{{- end }}

{{/*
Sleep, then what the server may take after SIGTERM (drain, the longest queue wait, the longest call of run(), and
5 s), then 5 s more before it is killed.
*/}}
{{- define "gpu-inference.terminationGracePeriodSeconds" -}}
{{- $values := include "gpu-inference.values" . | fromJson -}}
{{- $request := add (int64 $values.deployment.max_request_wait_time) (int64 $values.deployment.scoring_timeout_ms) -}}
{{- $requestSeconds := divf $request 1000 | ceil | int64 -}}
{{ add (int64 $values.drain.preStopSleepSeconds) (int64 $values.drain.seconds) $requestSeconds 10 }}
{{- end }}
