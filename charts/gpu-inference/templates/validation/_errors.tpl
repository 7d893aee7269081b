{{/*
Validation of the values: their types, then the rules between them, which a schema cannot express. The rules are in the
other files of this folder, and nowhere else.
*/}}

{{/* A JSON list with one sentence for each mistake. */}}
{{- define "gpu-inference.validationErrors" -}}
{{- $root := . -}}
{{- $found := dict "errors" list -}}
{{- include "gpu-inference.typeErrors" (list .valuesSchema .Values "" $found) -}}
{{- $errors := $found.errors -}}
{{- /* Rules on values of a wrong type would only restate the type error. */ -}}
{{- if not $errors -}}
  {{- range list "deploymentErrors" "modelErrors" "rolloutErrors" "telemetryErrors" "replicaErrors" "poolErrors" "policyErrors" "nameErrors" "keyErrors" "tokenErrors" "podErrors" "extraErrors" "labelErrors" "imageErrors" "networkErrors" -}}
    {{- $errors = concat $errors (include (printf "gpu-inference.%s" .) $root | fromJsonArray) -}}
  {{- end -}}
{{- end -}}
{{ $errors | toJson }}
{{- end }}
