{{/* Rules for registries: those under global, which a parent chart sets for all its charts, and the image's own. */}}

{{- define "gpu-inference.imageErrors" -}}
{{- $errors := list -}}
{{- if and .Values.image.registry (regexMatch "^(localhost|[^/]*[.:][^/]*)/" .Values.image.repository) -}}
  {{- $errors = append $errors "image.registry and image.repository both name a registry: leave it out of image.repository." -}}
{{- end -}}
{{- $global := .Values.global | default dict -}}
{{- $cattle := include "gpu-inference.mappingAt" (list $global "cattle") | fromJson -}}
{{- $pattern := .valuesSchema.properties.image.properties.registry.pattern -}}
{{- range $path, $registry := dict "global.imageRegistry" $global.imageRegistry "global.cattle.systemDefaultRegistry" $cattle.systemDefaultRegistry -}}
  {{- if not (or (kindIs "invalid" $registry) (and (kindIs "string" $registry) (regexMatch $pattern (toString $registry)))) -}}
    {{- $errors = append $errors (printf "%s must be a registry's host, with its port and path where it has them, without https:// and without a slash at the end." $path) -}}
  {{- end -}}
{{- end -}}
{{- $secrets := $global.imagePullSecrets -}}
{{- $wrong := not (or (kindIs "invalid" $secrets) (kindIs "slice" $secrets)) -}}
{{- range kindIs "slice" $secrets | ternary $secrets list -}}
  {{- $name := . -}}
  {{- if kindIs "map" . }}{{ $name = get . "name" }}{{ end -}}
  {{- if not (and (kindIs "string" $name) $name) }}{{ $wrong = true }}{{ end -}}
{{- end -}}
{{- if $wrong -}}
  {{- $errors = append $errors "global.imagePullSecrets must be a list of names, or of mappings with a name." -}}
{{- end -}}
{{- $images := include "gpu-inference.mappingAt" (list $global "azure" "images") | fromJson -}}
{{- range $name := list "runtime" "test" -}}
  {{- if not (kindIs "invalid" (index $images $name)) -}}
    {{- $ofAzure := include "gpu-inference.mappingAt" (list $images $name) | fromJson -}}
    {{- $complete := regexMatch "^sha256:[0-9a-f]{64}$" (toString $ofAzure.digest) -}}
    {{- range $text := list $ofAzure.registry $ofAzure.image -}}
      {{- $complete = and $complete (kindIs "string" $text) $text -}}
    {{- end -}}
    {{- if not $complete -}}
      {{- $errors = append $errors (printf "global.azure.images.%s must have registry, image and digest (sha256:…)." $name) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{ $errors | toJson }}
{{- end }}
