{{/* Rollouts: how pods are replaced, and how long a pod may take to start and to terminate, in seconds. */}}

{{/*
Pods that a rollout adds before it removes any: 1 if the pool has room for it, else 0; 0 also if a volume cannot be
mounted by a second pod.
*/}}
{{- define "gpu-inference.maxSurge" -}}
{{- $withSurge := mul (include "gpu-inference.maxReplicas" . | int64 | add1) (int64 .Values.deployment.gpu_cores) -}}
{{- $fits := or (eq $withSurge 0) (le $withSurge (int64 .Values.cluster.gpu_count)) -}}
{{ ternary 1 0 (and $fits (include "gpu-inference.tiedToOnePlace" . | eq "false")) }}
{{- end }}

{{/*
Strategy of the Deployment. Without room in the pool, a surge pod would wait for a GPU that only the pods it replaces
can free, and the rollout would never end.
*/}}
{{- define "gpu-inference.strategy" -}}
{{- $surge := include "gpu-inference.maxSurge" . | int64 -}}
type: RollingUpdate
rollingUpdate:
  maxSurge: {{ $surge }}
  maxUnavailable: {{ sub 1 $surge }}
{{- end }}

{{/*
Tries of the startup probe, one per second: v1 gave init() the initial delay, and then failure_threshold checks.
*/}}
{{- define "gpu-inference.startupSeconds" -}}
{{- $deployment := .Values.deployment -}}
{{ add (int64 $deployment.initial_delay_seconds) (mul (int64 $deployment.period_seconds) (int64 $deployment.failure_threshold)) }}
{{- end }}

{{/*
preStop sleep, then the server's time after SIGTERM (drain, longest queue wait, longest call of run(), and 5 s), then
5 s until SIGKILL.
*/}}
{{- define "gpu-inference.terminationGracePeriodSeconds" -}}
{{- $request := add (int64 .Values.deployment.max_request_wait_time) (int64 .Values.deployment.scoring_timeout_ms) -}}
{{- $requestSeconds := divf $request 1000 | ceil | int64 -}}
{{ add (int64 .Values.drain.preStopSleepSeconds) (int64 .Values.drain.seconds) $requestSeconds 10 }}
{{- end }}

{{/*
Longest time in which a healthy rollout makes no progress: without a spare GPU, a new pod first waits for an old one to
terminate; then it pulls its image, fetches its models, starts, and passes its checks (docs/decisions.md 14).
*/}}
{{- define "gpu-inference.rolloutSeconds" -}}
{{- $ready := mul (int64 .Values.deployment.period_seconds) (int64 .Values.deployment.success_threshold) -}}
{{ add (include "gpu-inference.terminationGracePeriodSeconds" .) (int64 .Values.rollout.pullSeconds) (include "gpu-inference.fetchSeconds" .) (include "gpu-inference.startupSeconds" .) $ready }}
{{- end }}
