{{/*
How requests are put together into one call of run(). What is left at the runtime's own default is not set, so that a
pod without batching is the same as before there was any.
*/}}

{{- define "gpu-inference.batchingEnv" -}}
{{- $batching := (include "gpu-inference.values" . | fromJson).batching -}}
{{- $defaults := (.Files.Get "files/defaults.json" | fromJson).batching -}}
{{- $variables := list
    (list "mode" "GPU_INFERENCE_BATCHING")
    (list "maxRows" "GPU_INFERENCE_BATCH_MAX_ROWS")
    (list "maxBytes" "GPU_INFERENCE_BATCH_MAX_BYTES")
    (list "dtype" "GPU_INFERENCE_ARRAY_DTYPE")
    (list "fastJson" "GPU_INFERENCE_FAST_JSON")
-}}
{{- range $variables }}
{{- $value := get $batching (first .) -}}
{{- if ne (toString $value) (get $defaults (first .) | toString) }}
- name: {{ last . }}
  value: {{ ternary (int64 $value) $value (kindIs "float64" $value) | quote }}
{{- end }}
{{- end }}
{{- end }}
