{{/* Rollouts: how pods are replaced, and how long a pod may take to start and to leave, in seconds. */}}

{{/*
Pods that a rollout adds before it takes any away: as many as the service's GPUs have room for, 1 at most; none where
a volume cannot be mounted a second time.
*/}}
{{- define "gpu-inference.maxSurge" -}}
{{- $withSurge := mul (include "gpu-inference.maxReplicas" . | int64 | add1) (int64 .Values.deployment.gpu_cores) -}}
{{- $fits := or (eq $withSurge 0) (le $withSurge (int64 .Values.cluster.gpu_count)) -}}
{{ ternary 1 0 (and $fits (include "gpu-inference.tiedToOnePlace" . | eq "false")) }}
{{- end }}

{{/*
The rollout's strategy. A surge pod is only asked for where the service's GPUs have room for it: otherwise it would
wait for a GPU that only the pods it is to replace can free, and the rollout would never end.
*/}}
{{- define "gpu-inference.strategy" -}}
{{- $surge := include "gpu-inference.maxSurge" . | int64 -}}
type: RollingUpdate
rollingUpdate:
  maxSurge: {{ $surge }}
  maxUnavailable: {{ sub 1 $surge }}
{{- end }}

{{/*
Tries of the startup probe, one per second: v1 gave init() the initial delay, and then as many checks as liveness has
failures.
*/}}
{{- define "gpu-inference.startupSeconds" -}}
{{- $deployment := .Values.deployment -}}
{{ add (int64 $deployment.initial_delay_seconds) (mul (int64 $deployment.period_seconds) (int64 $deployment.failure_threshold)) }}
{{- end }}

{{/*
Sleep, then what the server may take after SIGTERM (drain, the longest queue wait, the longest call of run(), and
5 s), then 5 s more before it is killed.
*/}}
{{- define "gpu-inference.terminationGracePeriodSeconds" -}}
{{- $request := add (int64 .Values.deployment.max_request_wait_time) (int64 .Values.deployment.scoring_timeout_ms) -}}
{{- $requestSeconds := divf $request 1000 | ceil | int64 -}}
{{ add (int64 .Values.drain.preStopSleepSeconds) (int64 .Values.drain.seconds) $requestSeconds 10 }}
{{- end }}

{{/*
The longest time in which a healthy rollout shows no progress: where there is no GPU to spare the new pod first waits
for the old one to leave; then it pulls its image, fetches its models, starts, and is ready after its checks in a row.
*/}}
{{- define "gpu-inference.rolloutSeconds" -}}
{{- $ready := mul (int64 .Values.deployment.period_seconds) (int64 .Values.deployment.success_threshold) -}}
{{ add (include "gpu-inference.terminationGracePeriodSeconds" .) (int64 .Values.rollout.pullSeconds) (include "gpu-inference.fetchSeconds" .) (include "gpu-inference.startupSeconds" .) $ready }}
{{- end }}
