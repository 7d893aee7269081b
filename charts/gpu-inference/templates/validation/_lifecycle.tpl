{{/* Rules about how pods start, spread and leave: what Kubernetes would refuse after the install has begun. */}}

{{- define "gpu-inference.lifecycleProblems" -}}
{{- $values := index . 1 -}}
{{- $problems := list -}}
{{- $seconds := include "gpu-inference.rolloutSeconds" $values | int64 -}}
{{- if gt $seconds 2147483647 -}}
  {{- $problems = append $problems (printf "A rollout would wait %d s for a pod to start and another to leave, but Kubernetes counts to 2147483647: lower deployment.initial_delay_seconds, period_seconds, failure_threshold, success_threshold, drain or rollout.pullSeconds." $seconds) -}}
{{- end -}}
{{- $times := dict -}}
{{- range $values.topologySpreadConstraints -}}
  {{- $pair := printf "topologyKey %s with %s" .topologyKey .whenUnsatisfiable -}}
  {{- $_ := set $times $pair (add1 (default 0 (get $times $pair))) -}}
{{- end -}}
{{- range $pair, $number := $times -}}
  {{- if gt (int $number) 1 -}}
    {{- $problems = append $problems (printf "topologySpreadConstraints has %s %d times: keep one." $pair $number) -}}
  {{- end -}}
{{- end -}}
{{- range $values.topologySpreadConstraints -}}
  {{- if and .minDomains (ne .whenUnsatisfiable "DoNotSchedule") -}}
    {{- $problems = append $problems (printf "topologySpreadConstraints has minDomains for topologyKey %s: that needs whenUnsatisfiable DoNotSchedule." .topologyKey) -}}
  {{- end -}}
{{- end -}}
{{ $problems | toJson }}
{{- end }}
