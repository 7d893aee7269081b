{{/*
What no schema can say, and the essence of what it says: the cap holds at any size and under
--skip-schema-validation too. One file for each module of harness/src/gpu_inference/values/rules/, whose sentences
are the same; a test compares them.
*/}}

{{/* A JSON list with one sentence for each mistake. Takes a list, as all parts do: the root context and the values. */}}
{{- define "gpu-inference.validationErrors" -}}
{{- $arguments := . -}}
{{- $errors := concat (include "gpu-inference.numberErrors" . | fromJsonArray) (include "gpu-inference.modelShapeErrors" . | fromJsonArray) -}}
{{- $parts := list "nameErrors" "keyErrors" "tokenAuthErrors" "podErrors" "extraErrors" "labelErrors" "imageErrors" "networkErrors" -}}
{{- /* Rules between numbers would only repeat, in odd words, that one of them is none. */ -}}
{{- if not $errors -}}
  {{- $parts = concat (list "deploymentErrors" "modelErrors" "lifecycleErrors" "telemetryErrors" "autoscalingErrors" "poolErrors" "policyErrors") $parts -}}
{{- end -}}
{{- range $parts -}}
  {{- $errors = concat $errors (include (printf "gpu-inference.%s" .) $arguments | fromJsonArray) -}}
{{- end -}}
{{ $errors | toJson }}
{{- end }}
