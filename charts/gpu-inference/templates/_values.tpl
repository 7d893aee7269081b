{{/*
The values as the templates use them: null and absent mean the default, and nothing is rendered from values that the
chart cannot deploy.

Helm 3 removes a value that a user sets to null, Helm 4 keeps the null. Either way the default applies, which
files/defaults.json holds (generated from the same source as values.yaml).
*/}}

{{/*
Checks the values and lays them over their defaults, so that every template then reads complete values in .Values.
Every template begins with this. It renders nothing, and fails with one sentence for each mistake.
*/}}
{{- define "gpu-inference.values" -}}
{{- /* All templates of a render share the root context: the first one does the work. */}}
{{- if not (hasKey . "valuesAreChecked") -}}
  {{- $defaults := .Files.Get "files/defaults.json" | fromJson -}}
  {{- $values := include "gpu-inference.overlaid" (list (deepCopy $defaults) .Values) | fromJson -}}
  {{- if kindIs "slice" $values.models -}}
    {{- $_ := set $values "models" (include "gpu-inference.modelsWithDefaults" (list $defaults $values.models) | fromJsonArray) -}}
  {{- end -}}
  {{- $_ := set . "Values" $values -}}
  {{- with include "gpu-inference.validationErrors" . | fromJsonArray -}}
    {{- fail (printf "\n\nThese values cannot be deployed:\n- %s\n" (join "\n- " .)) -}}
  {{- end -}}
  {{- $_ := set . "valuesAreChecked" true -}}
{{- end -}}
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
