{{/* The image of the test's pod: the service's, which is on the nodes already, unless another is given. */}}
{{- define "gpu-inference.testImage" -}}
{{- $image := (include "gpu-inference.values" . | fromJson).helmTest.image -}}
{{- if $image.repository -}}
{{- include "gpu-inference.imageReference" (list . $image "test") -}}
{{- else -}}
{{- include "gpu-inference.image" . -}}
{{- end -}}
{{- end }}
