{{/*
Types and ranges of values, checked as in the chart's schema, but with sentences, and also under
--skip-schema-validation. Unchecked, templates would read text as 0, and products of the cap would overflow.
*/}}

{{/*
Appends a sentence for each invalid value. Takes a list: the schema, the value, its path, and a mapping whose entry
errors is the list of sentences.
*/}}
{{- define "gpu-inference.typeErrors" -}}
{{- $schema := index . 0 -}}
{{- $value := index . 1 -}}
{{- $path := index . 2 -}}
{{- $found := index . 3 -}}
{{- $type := get $schema "type" -}}
{{- if kindIs "slice" $type }}{{ $type = first $type }}{{ end -}}
{{- $must := "" -}}
{{- if eq $type "object" -}}
  {{- if kindIs "map" $value -}}
    {{- include "gpu-inference.mappingErrors" . -}}
  {{- else -}}
    {{- $must = "be a mapping" -}}
  {{- end -}}
{{- else if eq $type "array" -}}
  {{- if kindIs "slice" $value -}}
    {{- range $index, $item := $value -}}
      {{- include "gpu-inference.typeErrors" (list $schema.items $item (printf "%s[%d]" $path $index) $found) -}}
    {{- end -}}
  {{- else -}}
    {{- $must = "be a list" -}}
  {{- end -}}
{{- else if eq $type "boolean" -}}
  {{- if not (kindIs "bool" $value) }}{{ $must = "be true or false" }}{{ end -}}
{{- else if eq $type "string" -}}
  {{- $must = include "gpu-inference.mustOfText" (list $schema $value) -}}
{{- else if $type -}}
  {{- $must = include "gpu-inference.mustOfNumber" (list $schema $value $type) -}}
{{- end -}}
{{- if $must -}}
  {{- /* The SDK's words, for what the SDK checked. */}}
  {{- $subject := $path -}}
  {{- $end := ternary "" "." (hasSuffix "$" $must) -}}
  {{- $ofSdk := or (hasPrefix "be greater" $must) (contains "Regex for validation" $must) -}}
  {{- if and (hasPrefix "deployment." $path) $ofSdk -}}
    {{- $subject = printf "Invalid configuration, %s" (trimPrefix "deployment." $path) -}}
  {{- end -}}
  {{- $_ := set $found "errors" (append $found.errors (printf "%s must %s%s" $subject $must $end)) -}}
{{- end -}}
{{- end }}

{{/* The same for the entries of a mapping. */}}
{{- define "gpu-inference.mappingErrors" -}}
{{- $schema := index . 0 -}}
{{- $value := index . 1 -}}
{{- $prefix := ternary "" (printf "%s." (index . 2)) (empty (index . 2)) -}}
{{- $found := index . 3 -}}
{{- $known := get $schema "properties" | default dict -}}
{{- $others := get $schema "additionalProperties" -}}
{{- range $key := get $schema "required" | default list -}}
  {{- if not (hasKey $value $key) -}}
    {{- $_ := set $found "errors" (append $found.errors (printf "%s%s is missing." $prefix $key)) -}}
  {{- end -}}
{{- end -}}
{{- $order := get $schema "order" | default list -}}
{{- range $key := concat $order (keys $value | sortAlpha) | uniq -}}
  {{- $entry := get $value $key -}}
  {{- if not (hasKey $value $key) -}}
  {{- else if hasKey $known $key -}}
    {{- include "gpu-inference.typeErrors" (list (get $known $key) $entry (print $prefix $key) $found) -}}
  {{- else if kindIs "map" $others -}}
    {{- include "gpu-inference.typeErrors" (list $others $entry (print $prefix $key) $found) -}}
  {{- else if and (kindIs "bool" $others) (not $others) -}}
    {{- $hint := include "gpu-inference.similarName" (list $key (keys $known)) -}}
    {{- $_ := set $found "errors" (append $found.errors (printf "%s%s is not a value of this chart%s." $prefix $key $hint)) -}}
  {{- end -}}
{{- end -}}
{{- end }}

{{/*
Requirement that a number violates, to follow "must"; empty if it is valid. Takes a list: the schema, the number and
the type.
*/}}
{{- define "gpu-inference.mustOfNumber" -}}
{{- $schema := index . 0 -}}
{{- $value := index . 1 -}}
{{- $whole := eq (index . 2) "integer" -}}
{{- $bounded := and (hasKey $schema "minimum") (hasKey $schema "maximum") -}}
{{- $right := kindIs "float64" $value -}}
{{- if and $right $whole }}{{ $right = eq $value (floor $value) }}{{ end -}}
{{- if and $right (hasKey $schema "maximum") }}{{ $right = le $value $schema.maximum }}{{ end -}}
{{- if and $right $bounded (not $whole) }}{{ $right = ge $value $schema.minimum }}{{ end -}}
{{- if not $right -}}
  {{- if $whole -}}
be a whole number{{ if hasKey $schema "maximum" }}, at most {{ int64 $schema.maximum }}{{ end }}
  {{- else if $bounded -}}
be a number from {{ $schema.minimum }} to {{ $schema.maximum }}
  {{- else -}}
be a number
  {{- end -}}
{{- else if and (hasKey $schema "exclusiveMinimum") (le $value (get $schema "exclusiveMinimum" | default 0.0)) -}}
be greater than zero
{{- else if and (hasKey $schema "minimum") (lt $value (get $schema "minimum" | default 0.0)) -}}
{{ ternary "be greater than zero" "be greater than or equal to zero" (eq $schema.minimum 1.0) }}
{{- end -}}
{{- end }}

{{/* Requirement that a text violates, likewise. Takes a list: the schema and the text, which may be a key and is not shown. */}}
{{- define "gpu-inference.mustOfText" -}}
{{- $schema := index . 0 -}}
{{- $value := index . 1 -}}
{{- if not (kindIs "string" $value) -}}
be text
{{- else if and (hasKey $schema "enum") (not (has $value $schema.enum)) -}}
be one of {{ without $schema.enum "" | join ", " }}
{{- else if and (hasKey $schema "pattern") (not (regexMatch $schema.pattern $value)) -}}
{{ get $schema "must" | default (printf "match %s" $schema.pattern) }}
{{- else if and (hasKey $schema "minLength") (not $value) -}}
not be empty
{{- else if and (hasKey $schema "maxLength") (gt (len $value | float64) (get $schema "maxLength" | default 0.0)) -}}
have at most {{ int64 $schema.maxLength }} characters
{{- end -}}
{{- end }}

{{/*
" (did you mean NAME?)" for a similar name: the same letters in another order, one letter more or less at the end, or
other case, dashes and underscores. Takes a list: the given name, and the known names.
*/}}
{{- define "gpu-inference.similarName" -}}
{{- $plain := regexReplaceAll "[-_]" (first . | lower) "" -}}
{{- $letters := splitList "" $plain | sortAlpha | join "" -}}
{{- $similar := "" -}}
{{- range $name := last . | sortAlpha -}}
  {{- $other := regexReplaceAll "[-_]" (lower $name) "" -}}
  {{- $oneApart := or (hasPrefix $plain $other) (hasPrefix $other $plain) -}}
  {{- $difference := sub (len $plain) (len $other) -}}
  {{- $oneApart = and $oneApart (le (mul $difference $difference) 1) -}}
  {{- if or $oneApart (eq $letters (splitList "" $other | sortAlpha | join "")) }}{{ $similar = $name }}{{ end -}}
{{- end -}}
{{- with $similar }} (did you mean {{ . }}?){{ end -}}
{{- end }}
