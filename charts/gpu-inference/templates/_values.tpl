{{/*
The values as the templates use them: null and absent mean the default, and nothing is rendered from values that the
chart cannot deploy.

Helm 3 removes a value that a user sets to null, Helm 4 keeps the null. Either way the default applies, which
files/defaults.json holds (generated from the same source as values.yaml).
*/}}

{{/* All values as JSON, checked. Every template starts with this, so that none renders half of a mistake. */}}
{{- define "gpu-inference.values" -}}
{{- /* Kept in the root context, which all templates of a render share: they ask a hundred times. */}}
{{- if not (hasKey . "checkedValues") -}}
  {{- $values := include "gpu-inference.valuesWithDefaults" . -}}
  {{- $problems := include "gpu-inference.problems" (list . ($values | fromJson)) | fromJsonArray -}}
  {{- if $problems -}}
    {{- fail (printf "\n\nThese values cannot be deployed:\n- %s\n" (join "\n- " $problems)) -}}
  {{- end -}}
  {{- $_ := set . "checkedValues" $values -}}
{{- end -}}
{{ .checkedValues }}
{{- end }}

{{/* All values as JSON, unchecked. */}}
{{- define "gpu-inference.valuesWithDefaults" -}}
{{- $defaults := .Files.Get "files/defaults.json" -}}
{{- $values := include "gpu-inference.overlaid" (list ($defaults | fromJson) .Values) | fromJson -}}
{{- if kindIs "slice" $values.models -}}
  {{- $_ := set $values "models" (include "gpu-inference.modelsWithDefaults" (list ($defaults | fromJson) $values.models) | fromJsonArray) -}}
{{- end -}}
{{ $values | toJson }}
{{- end }}

{{/*
A mapping laid over another, section by section; null leaves what is there. Takes a list: the lower mapping and the
upper one. A mapping without defaults is not a section: what lies deeper in it is the user's as it is.
*/}}
{{- define "gpu-inference.overlaid" -}}
{{- $result := first . -}}
{{- range $key, $given := last . -}}
  {{- $default := get $result $key -}}
  {{- if and (kindIs "map" $given) (kindIs "map" $default) $default -}}
    {{- $_ := set $result $key (include "gpu-inference.overlaid" (list $default $given) | fromJson) -}}
  {{- else if not (kindIs "invalid" $given) -}}
    {{- $_ := set $result $key $given -}}
  {{- end -}}
{{- end -}}
{{ $result | toJson }}
{{- end }}
