{{/* Number of scoring pods: fixed, or set by an autoscaler, and never more than the pool has GPUs for. */}}

{{/* Name of a GPU in messages. */}}
{{- define "gpu-inference.gpuName" -}}
{{- if .Values.cluster.resource_claim.enabled }}the DeviceClass {{ .Values.cluster.resource_claim.device_class_name }}{{ else }}{{ .Values.cluster.gpu_resource }}{{ end -}}
{{- end }}

{{/* Number of pods that the pool has GPUs for; empty if pods need no GPU. */}}
{{- define "gpu-inference.podsInPool" -}}
{{- if gt (int64 .Values.deployment.gpu_cores) 0 -}}
{{ div (int64 .Values.cluster.gpu_count) (int64 .Values.deployment.gpu_cores) }}
{{- end -}}
{{- end }}

{{/* Fixed number of pods. */}}
{{- define "gpu-inference.replicas" -}}
{{ .Values.deployment.num_replicas | default 1 | int64 }}
{{- end }}

{{/* Maximum number of pods: the autoscaler's maximum, or the fixed number. */}}
{{- define "gpu-inference.maxReplicas" -}}
{{- if .Values.deployment.autoscale_enabled -}}
  {{- /* v1's default is 10, but few pools have that many GPUs. */ -}}
  {{- $default := min 10 (include "gpu-inference.podsInPool" . | default "10" | int64) -}}
  {{ .Values.deployment.autoscale_max_replicas | default $default | int64 }}
{{- else -}}
  {{ include "gpu-inference.replicas" . }}
{{- end -}}
{{- end }}

{{/*
spec.replicas of the Deployment; empty if the autoscaler owns the field and omitting it changes nothing
(docs/decisions.md 15).

If the previous release set the field, omitting it would reset it to 1: client-side by Helm's three-way merge,
server-side because the deployer was its only owner. In that case the current number is rendered. The annotation
gpu-inference/replicas shows whether the previous release set the field. Server-side, the field's ownership shows it too:
the autoscaler takes it over with its first change, after which setting the field could be a conflict.
*/}}
{{- define "gpu-inference.deploymentReplicas" -}}
{{- if not (include "gpu-inference.autoscalingEngine" .) -}}
  {{ include "gpu-inference.replicas" . }}
{{- else -}}
  {{- $running := lookup "apps/v1" "Deployment" .Release.Namespace (include "gpu-inference.serviceName" .) -}}
  {{- if and $running (ne "autoscaler" (dig "metadata" "annotations" "gpu-inference/replicas" "" $running)) -}}
    {{- $kept := true -}}
    {{- range dig "metadata" "managedFields" list $running -}}
      {{- /* The field manager that applied the chart's label is the deployer. */ -}}
      {{- $labels := dig "f:metadata" "f:labels" dict (get . "fieldsV1" | default dict) -}}
      {{- if and (eq .operation "Apply") (hasKey $labels "f:helm.sh/chart") -}}
        {{- $kept = hasKey (dig "f:spec" dict .fieldsV1) "f:replicas" -}}
      {{- end -}}
    {{- end -}}
    {{- if $kept }}{{ $running.spec.replicas | int64 }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- end }}

{{- define "gpu-inference.autoscalerName" -}}
{{ include "gpu-inference.serviceName" . }}-autoscaler
{{- end }}

{{/* Engine of the autoscaler; empty if the number of pods is fixed. */}}
{{- define "gpu-inference.autoscalingEngine" -}}
{{- if .Values.deployment.autoscale_enabled }}{{ .Values.autoscaling.engine }}{{ end -}}
{{- end }}

{{/*
Target average of busy slots per pod. v1's target is a percentage of all slots, and a pod has
replica_max_concurrent_requests slots. Kubernetes' thousandths express each percentage exactly.
*/}}
{{- define "gpu-inference.targetBusySlots" -}}
{{- $deployment := .Values.deployment -}}
{{- $percent := $deployment.autoscale_target_utilization | default 70 | int64 -}}
{{- $hundredths := mul $percent (int64 $deployment.replica_max_concurrent_requests) -}}
{{- $fraction := mod $hundredths 100 -}}
{{ div $hundredths 100 }}{{ if $fraction }}.{{ printf "%02d" $fraction | trimSuffix "0" }}{{ end }}
{{- end }}

{{/* Scale-down behaviour of the HorizontalPodAutoscaler, KEDA's or the chart's. */}}
{{- define "gpu-inference.autoscalerBehavior" -}}
scaleDown:
  stabilizationWindowSeconds: {{ .Values.autoscaling.scaleDownStabilizationSeconds | int64 }}
{{- end }}

{{/* "true" if KEDA or a ServiceMonitor needs a Service to find the pods' metrics. */}}
{{- define "gpu-inference.needsMetricsService" -}}
{{- $monitored := .Values.metrics.serviceMonitor.enabled -}}
{{- if or $monitored (eq "keda" (include "gpu-inference.autoscalingEngine" .)) }}true{{ end -}}
{{- end }}

{{- define "gpu-inference.autoscalingNotes" -}}
{{- $notes := list -}}
{{- $engine := include "gpu-inference.autoscalingEngine" . -}}
{{- if eq $engine "keda" -}}
  {{- $notes = append $notes "The autoscaler needs KEDA 2.20 or newer in the cluster, and the cluster's pods must have IPv4 addresses." -}}
{{- end -}}
{{- if $engine -}}
  {{- $notes = append $notes "To turn the autoscaler off again with Helm 4, use helm upgrade --force-conflicts; Helm 3 does not need it." -}}
{{- end -}}
{{ $notes | toJson }}
{{- end }}
