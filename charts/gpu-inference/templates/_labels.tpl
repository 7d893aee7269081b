{{/*
Labels and annotations. Selector labels never come from values: a Deployment's selector is immutable, and two releases
must not select each other's pods (docs/decisions.md 5).
*/}}

{{/* Labels that select the pods of a component. Takes a list: the root context and the component. */}}
{{- define "gpu-inference.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Chart.Name | quote }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/*
Labels of an object. Takes a list: the root context, the component and, optionally, additional labels, which take
precedence over commonLabels.
*/}}
{{- define "gpu-inference.labels" -}}
{{- $root := index . 0 -}}
{{ include "gpu-inference.selectorLabels" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- $own := dict -}}
{{- if gt (len .) 2 }}{{ $own = index . 2 }}{{ end -}}
{{- with merge $own $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
Labels of a component's pods. They exclude the versions, because a changed label would replace the pods. Takes a list:
the root context, the component and, optionally, additional labels (docs/decisions.md 7).
*/}}
{{- define "gpu-inference.podLabels" -}}
{{ include "gpu-inference.selectorLabels" . }}
{{- $own := dict -}}
{{- if gt (len .) 2 }}{{ $own = index . 2 }}{{ end -}}
{{- with merge $own (index . 0).Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
Annotations of an object; empty if it has none. Takes a list: the root context and, optionally, the object's own.
*/}}
{{- define "gpu-inference.annotations" -}}
{{- $own := dict -}}
{{- if gt (len .) 1 }}{{ $own = index . 1 }}{{ end -}}
{{- with merge $own (index . 0).Values.commonAnnotations -}}
{{ toYaml . }}
{{- end -}}
{{- end }}
