{{/* References of images: repository, tag or digest, and the registry, which a parent chart or the Azure Marketplace may set. */}}

{{/* Image of the scoring pods and of the release's own Jobs. */}}
{{- define "gpu-inference.image" -}}
{{- $image := .Values.image -}}
{{- include "gpu-inference.imageReference" (list . $image "runtime") -}}
{{- end }}

{{/* Image of the test's pod; defaults to the service's image, which the nodes already have. */}}
{{- define "gpu-inference.testImage" -}}
{{- $image := .Values.helmTest.image -}}
{{- if $image.repository -}}
{{- include "gpu-inference.imageReference" (list . $image "test") -}}
{{- else -}}
{{- include "gpu-inference.image" . -}}
{{- end -}}
{{- end }}

{{/*
Reference of an image. Takes a list: the root context; a mapping with repository, optional registry, tag and digest, or
with a whole reference; and, optionally, the image's name under global.azure.images. A digest is used without the tag,
which would have no effect beside it.
*/}}
{{- define "gpu-inference.imageReference" -}}
{{- $root := index . 0 -}}
{{- $given := index . 1 -}}
{{- $global := $root.Values.global | default dict -}}
{{- $azure := dict -}}
{{- if gt (len .) 2 -}}
  {{- $azure = include "gpu-inference.mappingAt" (list $global "azure" "images" (index . 2)) | fromJson -}}
{{- end -}}
{{- if $azure -}}
{{ $azure.registry }}/{{ $azure.image }}@{{ $azure.digest }}
{{- else if $given.reference -}}
{{ include "gpu-inference.inRegistry" (list $global $given.reference "") }}
{{- else -}}
{{ include "gpu-inference.inRegistry" (list $global $given.repository ($given.registry | default "")) }}
  {{- if $given.digest -}}
@{{ $given.digest }}
  {{- else -}}
:{{ $given.tag | default $root.Chart.AppVersion }}
  {{- end -}}
{{- end -}}
{{- end }}

{{/*
Name of an image in its registry: global.imageRegistry, else the image's own. A mirror keeps the path, so its host
replaces the host in the name (docs/decisions.md 4). Takes a list: global, the name, and the image's registry.
*/}}
{{- define "gpu-inference.inRegistry" -}}
{{- $global := index . 0 -}}
{{- $name := index . 1 -}}
{{- $cattle := include "gpu-inference.mappingAt" (list $global "cattle") | fromJson -}}
{{- $everywhere := $global.imageRegistry | default $cattle.systemDefaultRegistry -}}
{{- with $everywhere | default (index . 2) -}}
{{ . }}/{{ regexReplaceAll "^(localhost|[^/]*[.:][^/]*)/" $name "" }}
{{- else -}}
{{ $name }}
{{- end -}}
{{- end }}

{{/* Pull secrets of all images of the release, each once, because server-side apply rejects duplicates. */}}
{{- define "gpu-inference.imagePullSecrets" -}}
{{- $global := .Values.global | default dict -}}
{{- $names := list -}}
{{- range concat ($global.imagePullSecrets | default list) .Values.imagePullSecrets -}}
  {{- $name := . -}}
  {{- if kindIs "map" . }}{{ $name = .name }}{{ end -}}
  {{- $names = append $names $name -}}
{{- end -}}
{{- $secrets := list -}}
{{- range uniq $names }}{{ $secrets = append $secrets (dict "name" .) }}{{ end -}}
{{- with $secrets }}{{ toYaml . }}{{ end -}}
{{- end }}

{{/*
A nested mapping as JSON; empty if it does not exist. global has no fixed form, because other charts set it too. Takes
a list: the outermost mapping, and the keys.
*/}}
{{- define "gpu-inference.mappingAt" -}}
{{- $found := first . -}}
{{- range rest . -}}
  {{- $found = get $found . -}}
  {{- if not (kindIs "map" $found) }}{{ $found = dict }}{{ end -}}
{{- end -}}
{{ $found | toJson }}
{{- end }}
