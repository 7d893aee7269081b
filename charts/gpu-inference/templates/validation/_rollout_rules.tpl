{{/* Rules for starting, spreading and terminating pods, which Kubernetes would reject during the install. */}}

{{- define "gpu-inference.rolloutErrors" -}}
{{- $errors := list -}}
{{- $seconds := include "gpu-inference.rolloutSeconds" . | int64 -}}
{{- if gt $seconds 2147483647 -}}
  {{- $errors = append $errors (printf "A rollout would wait %d s for a pod to start and another to leave, but Kubernetes counts to 2147483647: lower deployment.initial_delay_seconds, period_seconds, failure_threshold, success_threshold, drain or rollout.pullSeconds." $seconds) -}}
{{- end -}}
{{- $times := dict -}}
{{- range .Values.topologySpreadConstraints -}}
  {{- $pair := printf "topologyKey %s with %s" .topologyKey .whenUnsatisfiable -}}
  {{- $_ := set $times $pair (add1 (default 0 (get $times $pair))) -}}
{{- end -}}
{{- range $pair, $number := $times -}}
  {{- if gt (int $number) 1 -}}
    {{- $errors = append $errors (printf "topologySpreadConstraints has %s %d times: keep one." $pair $number) -}}
  {{- end -}}
{{- end -}}
{{- range .Values.topologySpreadConstraints -}}
  {{- if and .minDomains (ne .whenUnsatisfiable "DoNotSchedule") -}}
    {{- $errors = append $errors (printf "topologySpreadConstraints has minDomains for topologyKey %s: that needs whenUnsatisfiable DoNotSchedule." .topologyKey) -}}
  {{- end -}}
{{- end -}}
{{ $errors | toJson }}
{{- end }}
