{{/* Policies that limit GPUs in the cluster, for every client of the API server. */}}

{{/* Resource that a quota counts for the GPUs. */}}
{{- define "gpu-inference.quotaResource" -}}
{{- if .Values.cluster.resource_claim.enabled -}}
{{ .Values.cluster.resource_claim.device_class_name }}.deviceclass.resource.k8s.io/devices
{{- else -}}
requests.{{ .Values.cluster.gpu_resource }}
{{- end -}}
{{- end }}

{{/*
Name of the quota. It is the same in every release, so that a namespace has one quota per kind of GPU, and Helm rejects
a second release that creates it (docs/decisions.md 8).
*/}}
{{- define "gpu-inference.quotaName" -}}
{{- $counted := ternary .Values.cluster.resource_claim.device_class_name .Values.cluster.gpu_resource .Values.cluster.resource_claim.enabled -}}
gpu-inference-{{ regexReplaceAll "[^a-z0-9.]+" (lower $counted) "-" }}
{{- end }}

{{/*
Name of the admission policy. It is cluster-scoped, so it contains namespace and release, separated by a dot, which a
namespace cannot contain.
*/}}
{{- define "gpu-inference.admissionPolicyName" -}}
gpu-inference.{{ .Release.Namespace }}.{{ include "gpu-inference.serviceName" . }}
{{- end }}

{{/* Not empty if the API server must reject pods beyond the cap; pods without GPUs have no cap. */}}
{{- define "gpu-inference.admissionPolicyWanted" -}}
{{- if and .Values.cluster.admission_policy (gt (int64 .Values.deployment.gpu_cores) 0) }}true{{ end -}}
{{- end }}
