{{/* Addresses and paths of the service, and egress rules of its pods. */}}

{{/*
Egress rules of the scoring pods: one that allows everything, or those for DNS, for each feature that opens connections
(each by its own helper), and of the values (docs/decisions.md 34).
*/}}
{{- define "gpu-inference.egress" -}}
{{- if .Values.networkPolicy.allowExternalEgress -}}
- {}
{{- else -}}
{{ include "gpu-inference.joined" (list . "dnsEgress" "modelEgress" "telemetryEgress" "tokenAuthEgress" "extraEgress") }}
{{- end }}
{{- end }}

{{/* DNS at any address, because it may be pods, a cache on the node, or a server outside the cluster (docs/decisions.md 35). */}}
{{- define "gpu-inference.dnsEgress" -}}
- ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
    {{- /* A policy applies to the port of the DNS pods, not to that of their Service. */}}
    {{- if .Values.openshift }}
    - port: 5353
      protocol: UDP
    - port: 5353
      protocol: TCP
    {{- end }}
{{- end }}

{{- define "gpu-inference.extraEgress" -}}
{{- with .Values.networkPolicy.egress }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{/* Path of the service, as in v1; unique in a namespace. */}}
{{- define "gpu-inference.servicePath" -}}
/api/v1/service/{{ include "gpu-inference.serviceName" . }}
{{- end }}

{{/* Address of the Service in the cluster, as host or host:port. */}}
{{- define "gpu-inference.serviceAddress" -}}
{{- $port := .Values.service.port | int64 -}}
{{ include "gpu-inference.serviceName" . }}.{{ .Release.Namespace }}{{ if ne $port 80 }}:{{ $port }}{{ end }}
{{- end }}

{{/*
Timeout of a request, in the notation of the Gateway API: the longest queue wait plus the longest call of run() plus one
second, so that the service's own 504, with its reason, comes first (docs/decisions.md 36).
*/}}
{{- define "gpu-inference.requestTimeout" -}}
{{- $deployment := .Values.deployment -}}
{{- $milliseconds := add (int64 $deployment.max_request_wait_time) (int64 $deployment.scoring_timeout_ms) 1000 -}}
{{- $seconds := div $milliseconds 1000 -}}
{{- with div $seconds 3600 }}{{ . }}h{{ end -}}
{{- with mod (div $seconds 60) 60 }}{{ . }}m{{ end -}}
{{- with mod $seconds 60 }}{{ . }}s{{ end -}}
{{- with mod $milliseconds 1000 }}{{ . }}ms{{ end -}}
{{- end }}

{{/* A mapping as YAML, without keys whose values are empty. */}}
{{- define "gpu-inference.withoutEmpty" -}}
{{- $kept := dict -}}
{{- range $key, $value := . }}{{ if $value }}{{ $_ := set $kept $key $value }}{{ end }}{{ end -}}
{{ toYaml $kept }}
{{- end }}
