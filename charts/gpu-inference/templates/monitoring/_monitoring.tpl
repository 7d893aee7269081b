{{/* What the objects for Prometheus have in common. */}}

{{/* Where and how the Prometheus operator scrapes. Takes a monitor's values. */}}
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
The service's pods among all that Prometheus knows, as a selector without braces. By name, because a label of the pods
is in Prometheus only where its configuration says so.
*/}}
{{- define "gpu-inference.podsInPrometheus" -}}
namespace={{ .Release.Namespace | quote }},pod=~"{{ include "gpu-inference.serviceName" . }}-[a-z0-9]+-[a-z0-9]+"
{{- end }}

{{/* Labels of an alert. Takes a list: the rule's values, the severity and the service's name. */}}
{{- define "gpu-inference.alertLabels" -}}
{{ merge (dict "service" (index . 2)) (index . 0).alertLabels (dict "severity" (index . 1)) | toYaml }}
{{- end }}
