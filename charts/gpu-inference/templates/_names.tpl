{{/* Names of the release's objects. */}}

{{/*
Name of the service, as in v1: the exact name of the Deployment, of the Service, and in SERVICE_NAME. A parent chart
that has this chart several times distinguishes them by alias.
*/}}
{{- define "gpu-inference.serviceName" -}}
{{- $aliased := and (not .Chart.IsRoot) (ne .Chart.Name "gpu-inference") -}}
{{ .Values.fullnameOverride | default (ternary (printf "%s-%s" .Release.Name .Chart.Name) .Release.Name $aliased) }}
{{- end }}

{{/* Secret from which the pods read the keys: the user's own or the chart's. */}}
{{- define "gpu-inference.keysSecretName" -}}
{{ .Values.keys.existingSecret | default (include "gpu-inference.keysObjectName" .) }}
{{- end }}

{{/* Name of the chart's Secret, and of the Role, RoleBinding and ServiceAccount of the key Job. */}}
{{- define "gpu-inference.keysObjectName" -}}
{{ include "gpu-inference.serviceName" . }}-keys
{{- end }}

{{/* ServiceAccount of the scoring pods. */}}
{{- define "gpu-inference.serviceAccountName" -}}
{{- $unnamed := ternary (include "gpu-inference.serviceName" .) "default" .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default $unnamed }}
{{- end }}

{{/* Headless Service for the pods' metrics. */}}
{{- define "gpu-inference.metricsServiceName" -}}
{{ include "gpu-inference.serviceName" . }}-metrics
{{- end }}
