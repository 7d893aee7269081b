{{/* Rules about labels and annotations that users add: none of the chart's own may be replaced. */}}

{{- define "gpu-inference.labelProblems" -}}
{{- $values := index . 1 -}}
{{- $problems := list -}}
{{- $metrics := $values.metrics -}}
{{- $labels := dict "commonLabels" $values.commonLabels "service.labels" $values.service.labels "ingress.labels" $values.ingress.labels "httpRoute.labels" $values.httpRoute.labels "metrics.podMonitor.labels" $metrics.podMonitor.labels "metrics.serviceMonitor.labels" $metrics.serviceMonitor.labels "metrics.prometheusRule.labels" $metrics.prometheusRule.labels "metrics.grafanaDashboard.labels" $metrics.grafanaDashboard.labels -}}
{{- range $path, $given := $labels -}}
  {{- range $name := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "helm.sh/chart" -}}
    {{- if hasKey $given $name -}}
      {{- $problems = append $problems (printf "%s must not set %s: the chart sets it itself." $path $name) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- range $path, $given := dict "commonAnnotations" $values.commonAnnotations "deploymentAnnotations" $values.deploymentAnnotations "podAnnotations" $values.podAnnotations -}}
  {{- range $name, $_ := $given -}}
    {{- if regexMatch "^(gpu-inference|helm\\.sh|meta\\.helm\\.sh)/" $name -}}
      {{- $problems = append $problems (printf "%s must not set %s: names with this beginning are the chart's and Helm's own." $path $name) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{ $problems | toJson }}
{{- end }}
