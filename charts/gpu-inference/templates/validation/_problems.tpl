{{/*
What no schema can say, and the essence of what it says: the cap holds at any size and under
--skip-schema-validation too. One file for each module of sdk/src/gpu_inference/values/rules/, whose sentences
are the same; a test compares them.
*/}}

{{/* A JSON list with one sentence for each mistake. Takes a list, as all parts do: the root context and the values. */}}
{{- define "gpu-inference.problems" -}}
{{- $arguments := . -}}
{{- $problems := concat (include "gpu-inference.numberProblems" . | fromJsonArray) (include "gpu-inference.modelShapeProblems" . | fromJsonArray) -}}
{{- $parts := list "nameProblems" "keyProblems" "tokenAuthProblems" "podProblems" "extraProblems" "labelProblems" "imageProblems" "networkProblems" -}}
{{- /* Rules between numbers would only repeat, in odd words, that one of them is none. */ -}}
{{- if not $problems -}}
  {{- $parts = concat (list "deploymentProblems" "modelProblems" "lifecycleProblems" "telemetryProblems" "autoscalingProblems" "poolProblems" "guardProblems") $parts -}}
{{- end -}}
{{- range $parts -}}
  {{- $problems = concat $problems (include (printf "gpu-inference.%s" .) $arguments | fromJsonArray) -}}
{{- end -}}
{{ $problems | toJson }}
{{- end }}
