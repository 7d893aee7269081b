{{/* What the user adds to the scoring pods. */}}

{{- define "gpu-inference.extraVolumes" -}}
{{- with (include "gpu-inference.values" . | fromJson).extraVolumes }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{- define "gpu-inference.extraVolumeMounts" -}}
{{- with (include "gpu-inference.values" . | fromJson).extraVolumeMounts }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{- define "gpu-inference.extraInitContainers" -}}
{{ include "gpu-inference.completedContainers" (list . (include "gpu-inference.values" . | fromJson).initContainers) }}
{{- end }}

{{- define "gpu-inference.extraContainers" -}}
{{ include "gpu-inference.completedContainers" (list . (include "gpu-inference.values" . | fromJson).extraContainers) }}
{{- end }}

{{/*
Containers of the user's, from the registry of all images, and under restricted Pod Security unless they say otherwise.
Takes a list: the root context and the containers.
*/}}
{{- define "gpu-inference.completedContainers" -}}
{{- $root := index . 0 -}}
{{- $containers := list -}}
{{- range index . 1 -}}
  {{- $image := include "gpu-inference.imageReference" (list $root (dict "reference" .image)) -}}
  {{- $security := .securityContext | default (include "gpu-inference.containerSecurityContext" $root | fromYaml) -}}
  {{- $containers = append $containers (merge (dict "image" $image "securityContext" $security) .) -}}
{{- end -}}
{{- with $containers }}{{ toYaml . }}{{ end -}}
{{- end }}
