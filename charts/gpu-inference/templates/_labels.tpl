{{/*
Labels. What selects pods never comes from values: a Deployment's selector cannot be changed, and two releases must
never select each other's pods.
*/}}

{{/* What finds the pods of one component. Takes a list: the root context and the component. */}}
{{- define "gpu-inference.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: gpu-inference
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* What every object carries. Takes a list: the root context and the component. */}}
{{- define "gpu-inference.labels" -}}
{{- $root := index . 0 -}}
{{ include "gpu-inference.selectorLabels" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end }}
