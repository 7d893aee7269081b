{{/* Parts of the scoring pods. Each feature has helpers that return items of a YAML list, or nothing. */}}

{{/* Joins lists. Takes a list: the root context, and the names of the helpers that return the lists. */}}
{{- define "gpu-inference.joined" -}}
{{- $root := first . -}}
{{- $parts := list -}}
{{- range rest . -}}
  {{- with include (printf "gpu-inference.%s" .) $root | trim -}}
    {{- $parts = append $parts . -}}
  {{- end -}}
{{- end -}}
{{ join "\n" $parts }}
{{- end }}

{{/* Environment variables of the scoring container. Server-side apply rejects duplicate names. */}}
{{- define "gpu-inference.env" -}}
{{ include "gpu-inference.joined" (list . "serverEnv" "valueEnv" "keyEnv" "tokenAuthEnv" "modelEnv" "modelDataEnv" "telemetryEnv" "extraEnv") }}
{{- end }}

{{/* Mount paths must be unique. Those of models and code depend on the values, so the result is checked. */}}
{{- define "gpu-inference.volumeMounts" -}}
{{- $mounts := include "gpu-inference.joined" (list . "scratchMounts" "sharedMemoryMounts" "keyMounts" "tokenAuthMounts" "modelMounts" "modelDataMounts" "extraVolumeMounts") -}}
{{- $paths := list -}}
{{- range $mounts | fromYamlArray -}}
  {{- if has .mountPath $paths -}}
    {{- fail (printf "\n\nThese values cannot be deployed:\n- extraVolumeMounts must not use the path %s: it is the chart's own.\n" .mountPath) -}}
  {{- end -}}
  {{- $paths = append $paths .mountPath -}}
{{- end -}}
{{ $mounts }}
{{- end }}

{{- define "gpu-inference.volumes" -}}
{{ include "gpu-inference.joined" (list . "scratchVolumes" "sharedMemoryVolumes" "keyVolumes" "tokenAuthVolumes" "modelVolumes" "modelDataVolumes" "extraVolumes") }}
{{- end }}

{{/* The user's come first: one may be a sidecar that the chart's own need to reach the network. */}}
{{- define "gpu-inference.initContainers" -}}
{{ include "gpu-inference.joined" (list . "extraInitContainers" "modelInitContainers") }}
{{- end }}

{{/* Settings of the server that are always set. */}}
{{- define "gpu-inference.serverEnv" -}}
{{- $deployment := .Values.deployment -}}
- name: SERVICE_NAME
  value: {{ include "gpu-inference.serviceName" . | quote }}
- name: SCORING_TIMEOUT_MS
  value: {{ $deployment.scoring_timeout_ms | int64 | quote }}
- name: GPU_INFERENCE_FRONT_END
  value: azureml
- name: GPU_INFERENCE_MAX_CONCURRENT_REQUESTS
  value: {{ $deployment.replica_max_concurrent_requests | int64 | quote }}
- name: GPU_INFERENCE_MAX_QUEUE_WAIT_MS
  value: {{ $deployment.max_request_wait_time | int64 | quote }}
- name: GPU_INFERENCE_DRAIN_SECONDS
  value: {{ .Values.drain.seconds | int64 | quote }}
{{- end }}

{{/*
Variables of the values that name one in charts/values. A value with its default sets none, so that the pods of earlier
releases do not change.
*/}}
{{- define "gpu-inference.valueEnv" -}}
{{- range .valuesSchema.variables }}
{{- $value := $.Values }}
{{- range .path }}{{ $value = get $value . }}{{ end }}
{{- if ne (toString $value) (toString .default) }}
- name: {{ .name }}
  value: {{ ternary (int64 $value) $value (kindIs "float64" $value) | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "gpu-inference.extraEnv" -}}
{{- range .Values.extraEnv }}
- name: {{ .name | quote }}
  {{- if .valueFrom }}
  valueFrom:
    {{- toYaml .valueFrom | nindent 4 }}
  {{- else }}
  value: {{ .value | default "" | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{/* The only writable folder: the root file system is read-only. */}}
{{- define "gpu-inference.scratchVolumes" -}}
- name: tmp
  emptyDir: {}
{{- end }}

{{- define "gpu-inference.scratchMounts" -}}
- name: tmp
  mountPath: /tmp
{{- end }}

{{- define "gpu-inference.extraVolumes" -}}
{{- with .Values.extraVolumes }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{- define "gpu-inference.extraVolumeMounts" -}}
{{- with .Values.extraVolumeMounts }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{- define "gpu-inference.extraInitContainers" -}}
{{ include "gpu-inference.completedContainers" (list . .Values.initContainers) }}
{{- end }}

{{- define "gpu-inference.extraContainers" -}}
{{ include "gpu-inference.completedContainers" (list . .Values.extraContainers) }}
{{- end }}

{{/*
The user's containers, with global.imageRegistry applied, and with a restricted security context unless they have their
own (docs/decisions.md 6). Takes a list: the root context and the containers.
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
