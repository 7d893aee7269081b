{{/*
Labels. What selects pods never comes from values: a Deployment's selector cannot be changed, and two releases must
never select each other's pods.
*/}}

{{/* What finds the pods of one component. Takes a list: the root context and the component. */}}
{{- define "gpu-inference.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/*
What every object carries. Takes a list: the root context, the component and, where the object has some of its own,
further labels. Of two labels of a name the object's own counts.
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
What the pods of one component carry: fewer, because another label is another pod. Takes a list: the root context, the
component and, where the pods have some of their own, further labels.
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
An object's annotations, or nothing where it has none. Takes a list: the root context and the object's own, of which
there may be none.
*/}}
{{- define "gpu-inference.annotations" -}}
{{- $own := dict -}}
{{- if gt (len .) 1 }}{{ $own = index . 1 }}{{ end -}}
{{- with merge $own (index . 0).Values.commonAnnotations -}}
{{ toYaml . }}
{{- end -}}
{{- end }}
