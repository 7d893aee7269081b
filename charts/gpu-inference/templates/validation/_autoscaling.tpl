{{/* Rules about the autoscaler: whether there is one, in the SDK's words, and what its engine needs. */}}

{{- define "gpu-inference.autoscalingProblems" -}}
{{- $values := index . 1 -}}
{{- $deployment := $values.deployment -}}
{{- $problems := list -}}
{{- if $deployment.autoscale_enabled -}}
  {{- if hasKey $deployment "num_replicas" -}}
    {{- $problems = append $problems "Invalid configuration, autoscale enabled and num_replicas provided." -}}
  {{- end -}}
  {{- $fewest := $deployment.autoscale_min_replicas | default 1.0 -}}
  {{- if gt $fewest ($deployment.autoscale_max_replicas | default 10.0) -}}
    {{- $default := ternary "" " (It is 10 unless given.)" (hasKey $deployment "autoscale_max_replicas") -}}
    {{- $problems = append $problems (printf "Invalid configuration, autoscale_min_replicas cannot be greater than autoscale_max_replicas.%s" $default) -}}
  {{- end -}}
  {{- if and (eq $values.autoscaling.engine "hpa") (not $values.autoscaling.externalMetric.name) -}}
    {{- $problems = append $problems "autoscaling.engine is hpa, which needs a metric: set autoscaling.externalMetric.name to one of external.metrics.k8s.io with the busy slots of all pods, or use the engine keda." -}}
  {{- end -}}
{{- else -}}
  {{- if and (hasKey $deployment "autoscale_enabled") (not (hasKey $deployment "num_replicas")) -}}
    {{- $problems = append $problems "Invalid configuration, autoscale disabled but num_replicas not provided." -}}
  {{- end -}}
  {{- range $option := list "autoscale_min_replicas" "autoscale_max_replicas" "autoscale_refresh_seconds" "autoscale_target_utilization" -}}
    {{- if hasKey $deployment $option -}}
      {{- $problems = append $problems (printf "Invalid configuration, %s provided without enabling autoscaling." $option) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{ $problems | toJson }}
{{- end }}
