{{/* Number of the scoring pods: fixed, or set by an autoscaler; never more than the pool has GPUs for. */}}

{{/* What one GPU is called where a person reads it. */}}
{{- define "gpu-inference.gpuName" -}}
{{- if .Values.cluster.resource_claim.enabled }}the DeviceClass {{ .Values.cluster.resource_claim.device_class_name }}{{ else }}{{ .Values.cluster.gpu_resource }}{{ end -}}
{{- end }}

{{/* The number of pods that the service's GPUs can hold; nothing where pods need none. */}}
{{- define "gpu-inference.podsInPool" -}}
{{- if gt (int64 .Values.deployment.gpu_cores) 0 -}}
{{ div (int64 .Values.cluster.gpu_count) (int64 .Values.deployment.gpu_cores) }}
{{- end -}}
{{- end }}

{{/* The number of pods. */}}
{{- define "gpu-inference.replicas" -}}
{{ .Values.deployment.num_replicas | default 1 | int64 }}
{{- end }}

{{/* The largest number of pods that is ever asked for: the autoscaler's maximum where there is one. */}}
{{- define "gpu-inference.maxReplicas" -}}
{{- if .Values.deployment.autoscale_enabled -}}
  {{- /* v1's default is 10, which few pools can hold. */ -}}
  {{- $default := min 10 (include "gpu-inference.podsInPool" . | default "10" | int64) -}}
  {{ .Values.deployment.autoscale_max_replicas | default $default | int64 }}
{{- else -}}
  {{ .Values.deployment.num_replicas | default 1 | int64 }}
{{- end -}}
{{- end }}

{{/*
spec.replicas of the Deployment, or nothing where the field is the autoscaler's and leaving it out changes nothing.

Leaving it out resets it to 1 if the release before had it: client-side in Helm's three-way merge, server-side because
the deployer alone owned the field. There, the number that runs is given instead. Whether the release before had it,
the Deployment's annotation gpu-inference/replicas tells; and server-side the field's ownership too, which the
autoscaler takes over when it first changes the number: to give the field after that could be a conflict.
*/}}
{{- define "gpu-inference.deploymentReplicas" -}}
{{- if not (include "gpu-inference.autoscalingEngine" .) -}}
  {{ include "gpu-inference.replicas" . }}
{{- else -}}
  {{- $running := lookup "apps/v1" "Deployment" .Release.Namespace (include "gpu-inference.serviceName" .) -}}
  {{- if and $running (ne "autoscaler" (dig "metadata" "annotations" "gpu-inference/replicas" "" $running)) -}}
    {{- $kept := true -}}
    {{- range dig "metadata" "managedFields" list $running -}}
      {{- /* Whoever applied the chart's label is the deployer, whatever it calls itself. */ -}}
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

{{/* The engine, or nothing where the number of pods is fixed. */}}
{{- define "gpu-inference.autoscalingEngine" -}}
{{- if .Values.deployment.autoscale_enabled }}{{ .Values.autoscaling.engine }}{{ end -}}
{{- end }}

{{/*
Busy slots that one pod is to have on average. v1 gave a share of all slots, in percent; a pod has
replica_max_concurrent_requests of them. Kubernetes counts in thousandths, which say each percentage exactly.
*/}}
{{- define "gpu-inference.targetBusySlots" -}}
{{- $deployment := .Values.deployment -}}
{{- $percent := $deployment.autoscale_target_utilization | default 70 | int64 -}}
{{- $hundredths := mul $percent (int64 $deployment.replica_max_concurrent_requests) -}}
{{- $fraction := mod $hundredths 100 -}}
{{ div $hundredths 100 }}{{ if $fraction }}.{{ printf "%02d" $fraction | trimSuffix "0" }}{{ end }}
{{- end }}

{{/* How the HorizontalPodAutoscaler, KEDA's or ours, goes down. */}}
{{- define "gpu-inference.autoscalerBehavior" -}}
scaleDown:
  stabilizationWindowSeconds: {{ .Values.autoscaling.scaleDownStabilizationSeconds | int64 }}
{{- end }}

{{/* "true" where something reads metrics through a Service: KEDA and a ServiceMonitor find the pods behind one. */}}
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
  {{- $notes = append $notes "To turn the autoscaler off again, Helm 4 has to be told that the values count: helm upgrade --force-conflicts. Helm 3 needs no word." -}}
{{- end -}}
{{ $notes | toJson }}
{{- end }}
