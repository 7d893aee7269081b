{{/* Rules for objects, containers, volumes and variables that users add: no duplicates, and no names of the chart's own. */}}

{{- define "gpu-inference.extraErrors" -}}
{{- $errors := list -}}
{{- $volumes := list -}}
{{- range .Values.extraVolumes }}{{ $volumes = append $volumes .name }}{{ end -}}
{{- $paths := list -}}
{{- range .Values.extraVolumeMounts }}{{ $paths = append $paths .mountPath }}{{ end -}}
{{- $containers := concat .Values.initContainers .Values.extraContainers -}}
{{- $names := list -}}
{{- range $containers }}{{ $names = append $names .name }}{{ end -}}
{{- $reserved := "claim-[0-9a-f]{8}|(code|model-[0-9]+)(-ca)?|issuer|keys|model-data|model-scripts|shared-memory|tmp" -}}
{{- $errors = concat $errors (include "gpu-inference.clashes" (list "extraVolumes" "the name" $volumes $reserved) | fromJsonArray) -}}
{{- $reserved = "/dev/shm|/tmp|/(etc|var/lib)/gpu-inference(/.*)?" -}}
{{- $errors = concat $errors (include "gpu-inference.clashes" (list "extraVolumeMounts" "the path" $paths $reserved) | fromJsonArray) -}}
{{- $errors = concat $errors (include "gpu-inference.clashes" (list "initContainers and extraContainers" "the name" $names "scoring|(copy|fetch)-(code|model-[0-9]+)") | fromJsonArray) -}}
{{- range $containers -}}
  {{- $resources := .resources | default dict -}}
  {{- $gpu := $.Values.cluster.gpu_resource -}}
  {{- if or (hasKey ($resources.requests | default dict) $gpu) (hasKey ($resources.limits | default dict) $gpu) -}}
    {{- $errors = append $errors (printf "The container %s asks for %s, which would pass the cap of cluster.gpu_count: only deployment.gpu_cores gives a pod GPUs." .name $gpu) -}}
  {{- end -}}
{{- end -}}
{{- $odd := false -}}
{{- range .Values.extraObjects -}}
  {{- if not (or (kindIs "string" .) (kindIs "map" .)) }}{{ $odd = true }}{{ end -}}
{{- end -}}
{{- if $odd -}}
  {{- $errors = append $errors "extraObjects must be a list of objects, as mappings or as text." -}}
{{- end -}}
{{ $errors | toJson }}
{{- end }}

{{/* Takes a list: the values that hold the names, what the names are, the names, and a pattern of the chart's own names. */}}
{{- define "gpu-inference.clashes" -}}
{{- $where := index . 0 -}}
{{- $what := index . 1 -}}
{{- $given := index . 2 -}}
{{- $own := index . 3 -}}
{{- $errors := list -}}
{{- range $name := $given | uniq | sortAlpha -}}
  {{- if regexMatch (printf "^(%s)$" $own) $name -}}
    {{- $errors = append $errors (printf "%s must not use %s %s: it is the chart's own." $where $what $name) -}}
  {{- end -}}
  {{- $times := 0 -}}
  {{- range $given }}{{ if eq . $name }}{{ $times = add1 $times }}{{ end }}{{ end -}}
  {{- if gt (int $times) 1 -}}
    {{- $errors = append $errors (printf "%s use %s %s %d times: keep one." $where $what $name (int $times)) -}}
  {{- end -}}
{{- end -}}
{{ $errors | toJson }}
{{- end }}

{{- define "gpu-inference.podErrors" -}}
{{- $errors := list -}}
{{- $labels := .Values.podLabels -}}
{{- range $name := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" -}}
  {{- if hasKey $labels $name -}}
    {{- $errors = append $errors (printf "podLabels must not set %s: the chart finds the service's pods by it." $name) -}}
  {{- end -}}
{{- end -}}
{{- $reserved := list
    "SERVICE_NAME"
    "SCORING_TIMEOUT_MS"
    "GPU_INFERENCE_FRONT_END"
    "GPU_INFERENCE_KEYS_DIR"
    "GPU_INFERENCE_TOKEN_ISSUER"
    "GPU_INFERENCE_TOKEN_DISCOVERY_URL"
    "GPU_INFERENCE_TOKEN_AUDIENCE"
    "GPU_INFERENCE_TOKEN_ALLOWED_SUBJECTS"
    "GPU_INFERENCE_TOKEN_JWKS_FILE"
    "GPU_INFERENCE_TOKEN_JWKS_URL"
    "GPU_INFERENCE_TOKEN_JWKS_CA_FILE"
    "GPU_INFERENCE_TOKEN_JWKS_TOKEN_FILE"
    "GPU_INFERENCE_MAX_CONCURRENT_REQUESTS"
    "GPU_INFERENCE_MAX_QUEUE_WAIT_MS"
    "GPU_INFERENCE_DRAIN_SECONDS"
    "AML_APP_ROOT"
    "AZUREML_MODEL_DIR"
    "AZUREML_SOURCE_DIRECTORY"
    "AZUREML_ENTRY_SCRIPT"
    "GPU_INFERENCE_MODEL_DATA_DIR"
    "GPU_INFERENCE_MODEL_DATA_FILE_MB"
    "GPU_INFERENCE_MODEL_DATA_TOTAL_MB"
    "AML_APP_INSIGHTS_ENABLED"
    "OTEL_EXPORTER_OTLP_ENDPOINT"
    "OTEL_EXPORTER_OTLP_HEADERS"
    "OTEL_SERVICE_NAME"
    "OTEL_RESOURCE_ATTRIBUTES"
    "GPU_INFERENCE_TRACES_RATIO"
-}}
{{- range .valuesSchema.variables }}{{ $reserved = append $reserved .name }}{{ end -}}
{{- $reliedOn := list "HEALTH_PORT" "SERVER_PORT" "WORKER_COUNT" -}}
{{- $times := dict -}}
{{- range .Values.extraEnv -}}
  {{- $_ := set $times .name (add1 (default 0 (get $times .name))) -}}
{{- end -}}
{{- range $name := keys $times | sortAlpha -}}
  {{- if has $name $reserved -}}
    {{- $errors = append $errors (printf "extraEnv must not set %s: the chart sets it from its own values." $name) -}}
  {{- end -}}
  {{- if has $name $reliedOn -}}
    {{- $errors = append $errors (printf "extraEnv must not set %s: the chart relies on its default." $name) -}}
  {{- end -}}
  {{- if gt (get $times $name | int) 1 -}}
    {{- $errors = append $errors (printf "extraEnv sets %s %d times: keep one." $name (get $times $name)) -}}
  {{- end -}}
{{- end -}}
{{- range .Values.extraEnv -}}
  {{- if and (hasKey . "value") (hasKey . "valueFrom") -}}
    {{- $errors = append $errors (printf "extraEnv gives %s both value and valueFrom: keep one." .name) -}}
  {{- end -}}
{{- end -}}
{{ $errors | toJson }}
{{- end }}
