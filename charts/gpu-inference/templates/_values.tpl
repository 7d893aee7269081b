{{/*
The values as the templates use them: null and absent mean the default, and nothing is rendered from values that the
chart cannot deploy.

Helm 3 removes a value that a user sets to null, Helm 4 keeps the null. Either way the default applies, which
files/defaults.json holds (generated from the same source as values.yaml).
*/}}

{{/* All values as JSON, checked. Every template starts with this, so that none renders half of a mistake. */}}
{{- define "gpu-inference.values" -}}
{{- $values := include "gpu-inference.valuesWithDefaults" . -}}
{{- $problems := include "gpu-inference.problems" (list . ($values | fromJson)) | fromJsonArray -}}
{{- if $problems -}}
{{- fail (printf "\n\nThese values cannot be deployed:\n- %s\n" (join "\n- " $problems)) -}}
{{- end -}}
{{ $values }}
{{- end }}

{{/* All values as JSON, unchecked. Sections are overlaid key by key; what lies deeper is the user's as it is. */}}
{{- define "gpu-inference.valuesWithDefaults" -}}
{{- $values := .Files.Get "files/defaults.json" | fromJson -}}
{{- range $key, $given := .Values -}}
  {{- if and (kindIs "map" $given) (kindIs "map" (get $values $key)) -}}
    {{- range $name, $value := $given -}}
      {{- if not (kindIs "invalid" $value) -}}
        {{- $_ := set (get $values $key) $name $value -}}
      {{- end -}}
    {{- end -}}
  {{- else if not (kindIs "invalid" $given) -}}
    {{- $_ := set $values $key $given -}}
  {{- end -}}
{{- end -}}
{{ $values | toJson }}
{{- end }}
