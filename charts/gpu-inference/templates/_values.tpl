{{/*
The values as all templates read them: complete and checked.

Null means the default, like absent: Helm 3 removes a value that a user sets to null, Helm 4 keeps the null.
files/values.json holds each value's type and default; it is generated from the same source as values.yaml, because
Helm shows templates neither their values.yaml nor their schema.
*/}}

{{/*
Completes .Values with the defaults and checks them. Every template begins with this, so that none renders half of a
mistake. It renders nothing, and fails with one sentence for each mistake.
*/}}
{{- define "gpu-inference.values" -}}
{{- /* The templates of a render share the root context: the first one does the work for all. */}}
{{- if not (hasKey . "valuesAreChecked") -}}
  {{- $schema := .Files.Get "files/values.json" | fromJson -}}
  {{- /* A copy, in which all numbers are floats. */}}
  {{- $values := .Values | toJson | fromJson -}}
  {{- include "gpu-inference.fillDefaults" (list $schema $values) -}}
  {{- $_ := set . "Values" $values -}}
  {{- $_ := set . "valuesSchema" $schema -}}
  {{- with include "gpu-inference.validationErrors" . | fromJsonArray -}}
    {{- fail (printf "\n\nThese values cannot be deployed:\n- %s\n" (join "\n- " .)) -}}
  {{- end -}}
  {{- $_ := set . "valuesAreChecked" true -}}
{{- end -}}
{{- end }}

{{/*
Puts each default where a mapping has nothing or null, section by section and in the items of lists. Takes a list: the
mapping's schema, and the mapping, which is changed in place.
*/}}
{{- define "gpu-inference.fillDefaults" -}}
{{- $values := index . 1 -}}
{{- range $key, $schema := (index . 0).properties -}}
  {{- if kindIs "invalid" (get $values $key) }}{{ $_ := unset $values $key }}{{ end -}}
  {{- if not (hasKey $values $key) -}}
    {{- if hasKey $schema "default" -}}
      {{- $_ := set $values $key $schema.default -}}
    {{- else if hasKey $schema "properties" -}}
      {{- $_ := set $values $key dict -}}
    {{- end -}}
  {{- end -}}
  {{- $value := get $values $key -}}
  {{- if and (kindIs "map" $value) (hasKey $schema "properties") -}}
    {{- include "gpu-inference.fillDefaults" (list $schema $value) -}}
  {{- else if and (kindIs "slice" $value) (hasKey $schema "items") -}}
    {{- range $item := $value -}}
      {{- if kindIs "map" $item }}{{ include "gpu-inference.fillDefaults" (list $schema.items $item) }}{{ end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- end }}
