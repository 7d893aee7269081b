{{/*
Times of a pod's life in whole seconds: how long it may start, and how long it may take to leave. Each takes the
values, because the rules ask before the values are checked.
*/}}

{{/*
Tries of the startup probe, one per second: v1 gave init() the initial delay, and then as many checks as liveness has
failures.
*/}}
{{- define "gpu-inference.startupSeconds" -}}
{{- $deployment := .deployment -}}
{{ add (int64 $deployment.initial_delay_seconds) (mul (int64 $deployment.period_seconds) (int64 $deployment.failure_threshold)) }}
{{- end }}

{{/*
Sleep, then what the server may take after SIGTERM (drain, the longest queue wait, the longest call of run(), and
5 s), then 5 s more before it is killed.
*/}}
{{- define "gpu-inference.terminationGracePeriodSeconds" -}}
{{- $request := add (int64 .deployment.max_request_wait_time) (int64 .deployment.scoring_timeout_ms) -}}
{{- $requestSeconds := divf $request 1000 | ceil | int64 -}}
{{ add (int64 .drain.preStopSleepSeconds) (int64 .drain.seconds) $requestSeconds 10 }}
{{- end }}

{{/*
The longest time in which a healthy rollout shows no progress: where there is no GPU to spare the new pod first waits
for the old one to leave; then it pulls its image, fetches its models, starts, and is ready after its checks in a row.
*/}}
{{- define "gpu-inference.rolloutSeconds" -}}
{{- $ready := mul (int64 .deployment.period_seconds) (int64 .deployment.success_threshold) -}}
{{ add (include "gpu-inference.terminationGracePeriodSeconds" .) (int64 .rollout.pullSeconds) (include "gpu-inference.fetchSeconds" .) (include "gpu-inference.startupSeconds" .) $ready }}
{{- end }}
