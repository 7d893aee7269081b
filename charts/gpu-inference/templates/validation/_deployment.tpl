{{/* Rules between the parameters of deployment.*, in the SDK's words, and the service's name. */}}

{{- define "gpu-inference.deploymentProblems" -}}
{{- $deployment := (index . 1).deployment -}}
{{- $problems := list -}}
{{- range $name := list "cpu_cores" "memory_gb" -}}
  {{- $limit := get $deployment (printf "%s_limit" $name) -}}
  {{- if and $limit (lt (float64 $limit) (float64 (get $deployment $name))) -}}
    {{- $problems = append $problems (printf "Invalid configuration, %s_limit must be greater than or equal to %s." $name $name) -}}
  {{- end -}}
{{- end -}}
{{ $problems | toJson }}
{{- end }}

{{- define "gpu-inference.nameProblems" -}}
{{- $root := index . 0 -}}
{{- $deployment := (index . 1).deployment -}}
{{- $problems := list -}}
{{- $name := include "gpu-inference.serviceName" $root -}}
{{- if not (regexMatch "^[a-z][-a-z0-9]{1,30}[a-z0-9]$" $name) -}}
  {{- $problems = append $problems (printf "Error, provided service name is invalid. It must only consist of lowercase letters, numbers, or dashes, start with a letter, end with a letter or number, and be between 3 and 32 characters long. (It is %q.)" $name) -}}
{{- end -}}
{{- if and $deployment.namespace (ne $deployment.namespace $root.Release.Namespace) -}}
  {{- $problems = append $problems (printf "deployment.namespace is %s, but the release goes to the namespace %s: give --namespace %s or leave deployment.namespace out." $deployment.namespace $root.Release.Namespace $deployment.namespace) -}}
{{- end -}}
{{ $problems | toJson }}
{{- end }}
