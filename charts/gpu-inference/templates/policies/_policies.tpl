{{/* What guards the GPUs inside the cluster, whoever asks for pods there. */}}

{{/* What Kubernetes counts the GPUs as in a quota. */}}
{{- define "gpu-inference.quotaResource" -}}
{{- if .Values.cluster.resource_claim.enabled -}}
{{ .Values.cluster.resource_claim.device_class_name }}.deviceclass.resource.k8s.io/devices
{{- else -}}
requests.{{ .Values.cluster.gpu_resource }}
{{- end -}}
{{- end }}

{{/*
The quota's name: the same for every release, so that a namespace has one quota for each kind of GPU, and Helm itself
refuses a second release that wants to make it.
*/}}
{{- define "gpu-inference.quotaName" -}}
{{- $counted := ternary .Values.cluster.resource_claim.device_class_name .Values.cluster.gpu_resource .Values.cluster.resource_claim.enabled -}}
gpu-inference-{{ regexReplaceAll "[^a-z0-9.]+" (lower $counted) "-" }}
{{- end }}

{{/*
The admission policy's name: it is the cluster's, so that it carries namespace and release, apart by a dot, which no
namespace has.
*/}}
{{- define "gpu-inference.admissionPolicyName" -}}
gpu-inference.{{ .Release.Namespace }}.{{ include "gpu-inference.serviceName" . }}
{{- end }}

{{/* Not empty where the API server is to refuse pods beyond the cap: pods without GPUs have none. */}}
{{- define "gpu-inference.admissionPolicyWanted" -}}
{{- if and .Values.cluster.admission_policy (gt (int64 .Values.deployment.gpu_cores) 0) }}true{{ end -}}
{{- end }}
