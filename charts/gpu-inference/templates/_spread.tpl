{{/*
How the pods are spread over the nodes: the user's constraints, each for the service's own pods unless it says which.
Without a selector Kubernetes would count none.
*/}}
{{- define "gpu-inference.topologySpreadConstraints" -}}
{{- $values := include "gpu-inference.values" . | fromJson -}}
{{- $own := dict "matchLabels" (include "gpu-inference.selectorLabels" (list . "scoring") | fromYaml) -}}
{{- $constraints := list -}}
{{- range $values.topologySpreadConstraints -}}
  {{- $constraints = append $constraints (set . "labelSelector" (.labelSelector | default $own)) -}}
{{- end -}}
{{- with $constraints }}{{ toYaml . }}{{ end -}}
{{- end }}
