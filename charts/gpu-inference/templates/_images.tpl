{{/* Names of images: the registry, and what a parent chart or the Azure Marketplace says about it. */}}

{{/* The image of the scoring pods and of the release's own Jobs. */}}
{{- define "gpu-inference.image" -}}
{{- $image := .Values.image -}}
{{- include "gpu-inference.imageReference" (list . $image "runtime") -}}
{{- end }}

{{/* The image of the test's pod: the service's, which is on the nodes already, unless another is given. */}}
{{- define "gpu-inference.testImage" -}}
{{- $image := .Values.helmTest.image -}}
{{- if $image.repository -}}
{{- include "gpu-inference.imageReference" (list . $image "test") -}}
{{- else -}}
{{- include "gpu-inference.image" . -}}
{{- end -}}
{{- end }}

{{/*
An image's reference. Takes a list: the root context, a mapping with repository, and registry, tag and digest where it
has them (or with a whole reference instead), and the image's name under global.azure.images where it has one. A digest
decides alone: with a tag beside it, the tag would only pretend to matter.
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
An image's name in the registry that it is to come from: the one for all charts, else the image's own. A mirror keeps
the path, so that its host takes the place of the host in the name. Takes a list: global, the name, and the registry
beside it.
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

{{/* Credentials for all images of the release, each named once: server-side apply refuses a second time. */}}
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
A mapping inside others as JSON, empty where there is none: global is what other charts make of it. Takes a list: the
outermost mapping and the keys.
*/}}
{{- define "gpu-inference.mappingAt" -}}
{{- $found := first . -}}
{{- range rest . -}}
  {{- $found = get $found . -}}
  {{- if not (kindIs "map" $found) }}{{ $found = dict }}{{ end -}}
{{- end -}}
{{ $found | toJson }}
{{- end }}
