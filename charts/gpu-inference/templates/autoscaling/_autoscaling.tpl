{{/* What both engines of the autoscaler have in common, and who sets the number of pods. */}}

{{- define "gpu-inference.autoscalerName" -}}
{{ include "gpu-inference.serviceName" . }}-autoscaler
{{- end }}

{{/* The engine, or nothing where the number of pods is fixed. */}}
{{- define "gpu-inference.autoscalingEngine" -}}
{{- $values := include "gpu-inference.values" . | fromJson -}}
{{- if $values.deployment.autoscale_enabled }}{{ $values.autoscaling.engine }}{{ end -}}
{{- end }}

{{/*
Busy slots that one pod is to have on average. v1 gave a share of all slots, in percent; a pod has
replica_max_concurrent_requests of them. Kubernetes counts in thousandths, which say each percentage exactly.
*/}}
{{- define "gpu-inference.targetBusySlots" -}}
{{- $deployment := (include "gpu-inference.values" . | fromJson).deployment -}}
{{- $percent := $deployment.autoscale_target_utilization | default 70 | int64 -}}
{{- $hundredths := mul $percent (int64 $deployment.replica_max_concurrent_requests) -}}
{{- $fraction := mod $hundredths 100 -}}
{{ div $hundredths 100 }}{{ if $fraction }}.{{ printf "%02d" $fraction | trimSuffix "0" }}{{ end }}
{{- end }}

{{/* "true" where something reads metrics through a Service: KEDA and a ServiceMonitor find the pods behind one. */}}
{{- define "gpu-inference.needsMetricsService" -}}
{{- $monitored := (include "gpu-inference.values" . | fromJson).metrics.serviceMonitor.enabled -}}
{{- if or $monitored (eq "keda" (include "gpu-inference.autoscalingEngine" .)) }}true{{ end -}}
{{- end }}

{{/* How the HorizontalPodAutoscaler, KEDA's or ours, goes down. */}}
{{- define "gpu-inference.autoscalerBehavior" -}}
scaleDown:
  stabilizationWindowSeconds: {{ (include "gpu-inference.values" . | fromJson).autoscaling.scaleDownStabilizationSeconds | int64 }}
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
