{{/* Parts that the objects for Prometheus share. */}}

{{/* Endpoint that the Prometheus operator scrapes. Takes the values of a monitor. */}}
{{- define "gpu-inference.metricsEndpoint" -}}
port: management
path: /metrics
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/*
PromQL selector of the service's pods, without braces. It selects by name, because pod labels are in Prometheus only if
it is configured so (docs/decisions.md 38).
*/}}
{{- define "gpu-inference.podsInPrometheus" -}}
namespace={{ .Release.Namespace | quote }},pod=~"{{ include "gpu-inference.serviceName" . }}-[a-z0-9]+-[a-z0-9]+"
{{- end }}

{{/* Labels of an alert. Takes a list: the values of prometheusRule, the severity, and the service's name. */}}
{{- define "gpu-inference.alertLabels" -}}
{{ merge (dict "service" (index . 2)) (index . 0).alertLabels (dict "severity" (index . 1)) | toYaml }}
{{- end }}
