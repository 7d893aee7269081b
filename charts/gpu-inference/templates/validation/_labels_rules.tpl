{{/* Rules for additional labels and annotations: they must not override the chart's own. */}}

{{- define "gpu-inference.labelErrors" -}}
{{- $errors := list -}}
{{- $metrics := .Values.metrics -}}
{{- $labels := dict "commonLabels" .Values.commonLabels "service.labels" .Values.service.labels "ingress.labels" .Values.ingress.labels "httpRoute.labels" .Values.httpRoute.labels "metrics.podMonitor.labels" $metrics.podMonitor.labels "metrics.serviceMonitor.labels" $metrics.serviceMonitor.labels "metrics.prometheusRule.labels" $metrics.prometheusRule.labels "metrics.grafanaDashboard.labels" $metrics.grafanaDashboard.labels -}}
{{- range $path, $given := $labels -}}
  {{- range $name := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "helm.sh/chart" -}}
    {{- if hasKey $given $name -}}
      {{- $errors = append $errors (printf "%s must not set %s: the chart sets it itself." $path $name) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- range $path, $given := dict "commonAnnotations" .Values.commonAnnotations "deploymentAnnotations" .Values.deploymentAnnotations "podAnnotations" .Values.podAnnotations -}}
  {{- range $name, $_ := $given -}}
    {{- if regexMatch "^(gpu-inference|helm\\.sh|meta\\.helm\\.sh)/" $name -}}
      {{- $errors = append $errors (printf "%s must not set %s: names with this beginning are the chart's and Helm's own." $path $name) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{ $errors | toJson }}
{{- end }}
