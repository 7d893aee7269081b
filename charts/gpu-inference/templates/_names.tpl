{{/*
The names of the release's objects. They hold no unset values, so that they can be used before the values are
checked.
*/}}

{{/*
The service's name, as v1 had it: Deployment, Service and SERVICE_NAME carry exactly this. A parent chart that has this
one several times tells them apart by alias.
*/}}
{{- define "gpu-inference.serviceName" -}}
{{- $aliased := and (not .Chart.IsRoot) (ne .Chart.Name "gpu-inference") -}}
{{ .Values.fullnameOverride | default (ternary (printf "%s-%s" .Release.Name .Chart.Name) .Release.Name $aliased) }}
{{- end }}

{{/* The Secret that the pods read their keys from: the user's own or the chart's. */}}
{{- define "gpu-inference.keysSecretName" -}}
{{ .Values.keys.existingSecret | default (include "gpu-inference.keysObjectName" .) }}
{{- end }}

{{/* Everything that makes the keys: Secret, Role, RoleBinding and the Job's ServiceAccount. */}}
{{- define "gpu-inference.keysObjectName" -}}
{{ include "gpu-inference.serviceName" . }}-keys
{{- end }}

{{/* The ServiceAccount of the scoring pods. */}}
{{- define "gpu-inference.serviceAccountName" -}}
{{- $unnamed := ternary (include "gpu-inference.serviceName" .) "default" .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default $unnamed }}
{{- end }}

{{/* The headless Service through which the pods' metrics are found. */}}
{{- define "gpu-inference.metricsServiceName" -}}
{{ include "gpu-inference.serviceName" . }}-metrics
{{- end }}
