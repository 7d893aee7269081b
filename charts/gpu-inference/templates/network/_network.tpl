{{/* Ways through the network that the release's pods need, as rules of a NetworkPolicy. */}}

{{/*
Egress rules of the scoring pods: one that allows everything, or those of DNS, of each feature that connects to
something, which contributes by a helper of its own, and of the values.
*/}}
{{- define "gpu-inference.egress" -}}
{{- if .Values.networkPolicy.allowExternalEgress -}}
- {}
{{- else -}}
{{ include "gpu-inference.joined" (list . "dnsEgress" "modelEgress" "telemetryEgress" "tokenAuthEgress" "extraEgress") }}
{{- end }}
{{- end }}

{{/* To any address, because a cluster's DNS may be pods, a node's cache or a machine outside. */}}
{{- define "gpu-inference.dnsEgress" -}}
- ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
    {{- /* A policy sees the port of the DNS pods, behind their Service's. */}}
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

{{/* The path that v1 gave each service on a host of many: no two services of a namespace share it. */}}
{{- define "gpu-inference.servicePath" -}}
/api/v1/service/{{ include "gpu-inference.serviceName" . }}
{{- end }}

{{/* Where the Service is found inside the cluster, as host or host:port. */}}
{{- define "gpu-inference.serviceAddress" -}}
{{- $port := .Values.service.port | int64 -}}
{{ include "gpu-inference.serviceName" . }}.{{ .Release.Namespace }}{{ if ne $port 80 }}:{{ $port }}{{ end }}
{{- end }}

{{/*
How long a request may take, in the notation of the Gateway API: the longest wait and the longest call of run(), and a
second more, so that the service's own answer (504, with its reason) comes first.
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

{{/* A mapping as YAML without the keys whose values are empty. */}}
{{- define "gpu-inference.withoutEmpty" -}}
{{- $kept := dict -}}
{{- range $key, $value := . }}{{ if $value }}{{ $_ := set $kept $key $value }}{{ end }}{{ end -}}
{{ toYaml $kept }}
{{- end }}
