{{/* Rules about what users add to the pods: it must not replace what the chart itself sets. */}}

{{- define "gpu-inference.podProblems" -}}
{{- $values := index . 1 -}}
{{- $problems := list -}}
{{- $labels := $values.podLabels -}}
{{- range $name := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" -}}
  {{- if hasKey $labels $name -}}
    {{- $problems = append $problems (printf "podLabels must not set %s: the chart finds the service's pods by it." $name) -}}
  {{- end -}}
{{- end -}}
{{- $reserved := list "SERVICE_NAME" "SCORING_TIMEOUT_MS" "GPU_INFERENCE_FRONT_END" "GPU_INFERENCE_KEYS_DIR" "GPU_INFERENCE_TOKEN_ISSUER" "GPU_INFERENCE_TOKEN_DISCOVERY_URL" "GPU_INFERENCE_TOKEN_AUDIENCE" "GPU_INFERENCE_TOKEN_ALLOWED_SUBJECTS" "GPU_INFERENCE_TOKEN_JWKS_FILE" "GPU_INFERENCE_TOKEN_JWKS_URL" "GPU_INFERENCE_TOKEN_JWKS_CA_FILE" "GPU_INFERENCE_TOKEN_JWKS_TOKEN_FILE" "GPU_INFERENCE_MAX_CONCURRENT_REQUESTS" "GPU_INFERENCE_MAX_QUEUE_WAIT_MS" "GPU_INFERENCE_DRAIN_SECONDS" "GPU_INFERENCE_BATCHING" "GPU_INFERENCE_BATCH_MAX_ROWS" "GPU_INFERENCE_BATCH_MAX_BYTES" "GPU_INFERENCE_ARRAY_DTYPE" "GPU_INFERENCE_FAST_JSON" "AML_APP_ROOT" "AZUREML_MODEL_DIR" "AZUREML_SOURCE_DIRECTORY" "AZUREML_ENTRY_SCRIPT" "GPU_INFERENCE_MODEL_DATA_DIR" "GPU_INFERENCE_MODEL_DATA_FILE_MB" "GPU_INFERENCE_MODEL_DATA_TOTAL_MB" "AML_APP_INSIGHTS_ENABLED" "OTEL_EXPORTER_OTLP_ENDPOINT" "OTEL_EXPORTER_OTLP_HEADERS" "OTEL_SERVICE_NAME" "OTEL_RESOURCE_ATTRIBUTES" "GPU_INFERENCE_TRACES_RATIO" -}}
{{- $reliedOn := list "HEALTH_PORT" "SERVER_PORT" "WORKER_COUNT" -}}
{{- $times := dict -}}
{{- range $values.extraEnv -}}
  {{- $_ := set $times .name (add1 (default 0 (get $times .name))) -}}
{{- end -}}
{{- range $name := keys $times | sortAlpha -}}
  {{- if has $name $reserved -}}
    {{- $problems = append $problems (printf "extraEnv must not set %s: the chart sets it from its own values." $name) -}}
  {{- end -}}
  {{- if has $name $reliedOn -}}
    {{- $problems = append $problems (printf "extraEnv must not set %s: the chart relies on its default." $name) -}}
  {{- end -}}
  {{- if gt (get $times $name | int) 1 -}}
    {{- $problems = append $problems (printf "extraEnv sets %s %d times: keep one." $name (get $times $name)) -}}
  {{- end -}}
{{- end -}}
{{- range $values.extraEnv -}}
  {{- if and (hasKey . "value") (hasKey . "valueFrom") -}}
    {{- $problems = append $problems (printf "extraEnv gives %s both value and valueFrom: keep one." .name) -}}
  {{- end -}}
{{- end -}}
{{ $problems | toJson }}
{{- end }}
