{{/*
Collected rows, which go to a volume, and traces of requests, which go to an OpenTelemetry collector (docs/decisions.md
39 and 40).
*/}}

{{- define "gpu-inference.modelDataEnv" -}}
{{- if .Values.deployment.collect_model_data }}
- name: GPU_INFERENCE_MODEL_DATA_DIR
  value: /var/lib/gpu-inference/model-data
- name: GPU_INFERENCE_MODEL_DATA_FILE_MB
  value: {{ .Values.dataCollection.maxFileSizeMb | int64 | quote }}
- name: GPU_INFERENCE_MODEL_DATA_TOTAL_MB
  value: {{ .Values.dataCollection.maxTotalSizeMb | int64 | quote }}
{{- end }}
{{- end }}

{{- define "gpu-inference.modelDataMounts" -}}
{{- if .Values.deployment.collect_model_data }}
- name: model-data
  mountPath: /var/lib/gpu-inference/model-data
{{- end }}
{{- end }}

{{- define "gpu-inference.modelDataVolumes" -}}
{{- if .Values.deployment.collect_model_data }}
- name: model-data
  {{- toYaml .Values.dataCollection.volume | nindent 2 }}
{{- end }}
{{- end }}

{{/* The standard names, so that an OpenTelemetry SDK in the script sends to the same collector. */}}
{{- define "gpu-inference.telemetryEnv" -}}
{{- $telemetry := .Values.telemetry -}}
{{- if .Values.deployment.enable_app_insights }}
- name: AML_APP_INSIGHTS_ENABLED
  value: "true"
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ $telemetry.otlpEndpoint | quote }}
- name: OTEL_SERVICE_NAME
  value: {{ $telemetry.serviceName | default (include "gpu-inference.serviceName" .) | quote }}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: {{ include "gpu-inference.resourceAttributes" . | quote }}
- name: GPU_INFERENCE_TRACES_RATIO
  value: {{ $telemetry.samplingRatio | quote }}
{{- with $telemetry.headersSecret.name }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ $telemetry.headersSecret.key }}
{{- end }}
{{- end }}
{{- end }}

{{/* Resource attributes as name=value,…, with percent-encoded values. */}}
{{- define "gpu-inference.resourceAttributes" -}}
{{- $telemetry := .Values.telemetry -}}
{{- $attributes := dict "k8s.namespace.name" .Release.Namespace "k8s.deployment.name" (include "gpu-inference.serviceName" .) -}}
{{- $pairs := list -}}
{{- range $name, $value := merge (deepCopy $telemetry.resourceAttributes) $attributes -}}
  {{- $pairs = append $pairs (printf "%s=%s" $name ($value | urlquery | replace "+" "%20")) -}}
{{- end -}}
{{ join "," $pairs }}
{{- end }}

{{/* Egress to any address, because the collector may be outside the cluster. */}}
{{- define "gpu-inference.telemetryEgress" -}}
{{- if .Values.deployment.enable_app_insights }}
{{- $authority := regexFind "^https?://[^/]+" .Values.telemetry.otlpEndpoint -}}
{{- $default := ternary "443" "80" (hasPrefix "https:" $authority) }}
- ports:
    - port: {{ regexFind ":[0-9]+$" $authority | trimPrefix ":" | default $default | int64 }}
      protocol: TCP
{{- end }}
{{- end }}
