{{/* Rules for the parameters of deployment.*, in the SDK's words, and for the service's name. */}}

{{- define "gpu-inference.deploymentErrors" -}}
{{- $deployment := .Values.deployment -}}
{{- $errors := list -}}
{{- range $name := list "cpu_cores" "memory_gb" -}}
  {{- $limit := get $deployment (printf "%s_limit" $name) -}}
  {{- if and $limit (lt (float64 $limit) (float64 (get $deployment $name))) -}}
    {{- $errors = append $errors (printf "Invalid configuration, %s_limit must be greater than or equal to %s." $name $name) -}}
  {{- end -}}
{{- end -}}
{{ $errors | toJson }}
{{- end }}

{{- define "gpu-inference.nameErrors" -}}
{{- $deployment := .Values.deployment -}}
{{- $errors := list -}}
{{- $name := include "gpu-inference.serviceName" . -}}
{{- if not (regexMatch "^[a-z][-a-z0-9]{1,30}[a-z0-9]$" $name) -}}
  {{- $errors = append $errors (printf "Error, provided service name is invalid. It must only consist of lowercase letters, numbers, or dashes, start with a letter, end with a letter or number, and be between 3 and 32 characters long. (It is %q.)" $name) -}}
{{- end -}}
{{- if and $deployment.namespace (ne $deployment.namespace .Release.Namespace) -}}
  {{- $errors = append $errors (printf "deployment.namespace is %s, but the release goes to the namespace %s: give --namespace %s or leave deployment.namespace out." $deployment.namespace .Release.Namespace $deployment.namespace) -}}
{{- end -}}
{{ $errors | toJson }}
{{- end }}
