{{/* Rules about the service's two keys: they come from one place, and the second never alone. */}}

{{- define "gpu-inference.keyProblems" -}}
{{- $values := index . 1 -}}
{{- $problems := list -}}
{{- if and $values.deployment.secondary_key (not $values.deployment.primary_key) -}}
  {{- $problems = append $problems "deployment.secondary_key is given without deployment.primary_key: give both or neither." -}}
{{- end -}}
{{- if and $values.keys.existingSecret (or $values.deployment.primary_key $values.deployment.secondary_key) -}}
  {{- $problems = append $problems "keys.existingSecret and deployment.primary_key or secondary_key are both given: keep the keys in one place." -}}
{{- end -}}
{{- range $own := list "primaryKey" "secondaryKey" -}}
  {{- $name := get $values.keys (printf "%sName" $own) -}}
  {{- if and (ne $name $own) (not $values.keys.existingSecret) -}}
    {{- $problems = append $problems (printf "keys.%sName is %s without keys.existingSecret: the chart's own Secret calls it %s. Give keys.existingSecret too, or leave keys.%sName out." $own $name $own $own) -}}
  {{- end -}}
{{- end -}}
{{ $problems | toJson }}
{{- end }}
