{{/* Warnings in NOTES.txt. Each feature has a helper that returns a JSON list of sentences. */}}

{{/* Number of pods, in words. */}}
{{- define "gpu-inference.podsInWords" -}}
{{- $deployment := .Values.deployment -}}
{{- $most := include "gpu-inference.maxReplicas" . | int64 -}}
{{- if $deployment.autoscale_enabled -}}
{{ $deployment.autoscale_min_replicas | default 1 | int64 }} to {{ $most }} pods
{{- else -}}
{{ $most }} pod{{ if gt $most 1 }}s{{ end }}
{{- end -}}
{{- end }}

{{/* All warnings, as a JSON list. */}}
{{- define "gpu-inference.notes" -}}
{{- $root := . -}}
{{- $notes := list -}}
{{- range list "gpuNotes" "replicaNotes" "autoscalingNotes" "imageNotes" "modelNotes" "networkNotes" "deploymentNotes" -}}
  {{- $notes = concat $notes (include (printf "gpu-inference.%s" .) $root | fromJsonArray) -}}
{{- end -}}
{{ $notes | toJson }}
{{- end }}

{{- define "gpu-inference.gpuNotes" -}}
{{- $notes := list -}}
{{- $gpus := int64 .Values.deployment.gpu_cores -}}
{{- if gt $gpus 0 -}}
  {{- $notes = append $notes (printf "Pods stay Pending until a node offers %d of %s; set deployment.gpu_cores to 0 to run on CPU." $gpus (include "gpu-inference.gpuName" .)) -}}
  {{- $most := include "gpu-inference.maxReplicas" . | int64 -}}
  {{- if and (gt $most 1) (eq $most (include "gpu-inference.podsInPool" . | int64)) -}}
    {{- $notes = append $notes (printf "%d pods are all that cluster.gpu_count %d allows: upgrades replace one after another, and more pods need a larger gpu_count." $most (int64 .Values.cluster.gpu_count)) -}}
  {{- end -}}
{{- else -}}
  {{- $notes = append $notes "deployment.gpu_cores is 0: the pods compute on CPU, which is slower; deployment.cpu_cores says how much of it they ask for." -}}
{{- end -}}
{{ $notes | toJson }}
{{- end }}

{{- define "gpu-inference.replicaNotes" -}}
{{- $notes := list -}}
{{- $gpus := int64 .Values.deployment.gpu_cores -}}
{{- if not (or .Values.deployment.num_replicas .Values.deployment.autoscale_enabled) -}}
  {{- $notes = append $notes "Neither deployment.num_replicas nor deployment.autoscale_enabled is given, so that the number of pods is fixed: set autoscale_enabled to true for an autoscaler, as Azure ML had it." -}}
{{- end -}}
{{- if and (eq (include "gpu-inference.maxReplicas" . | int64) 1) (contains "maxSurge: 0" (include "gpu-inference.strategy" .)) (include "gpu-inference.tiedToOnePlace" . | eq "false") -}}
  {{- $notes = append $notes (printf "With one pod, and no GPU to spare for a second, each upgrade interrupts the service; cluster.gpu_count %d would prevent that." (mul 2 $gpus)) -}}
{{- end -}}
{{ $notes | toJson }}
{{- end }}

{{- define "gpu-inference.imageNotes" -}}
{{- $notes := list -}}
{{- if and (eq .Values.image.repository "gpu-inference-runtime") (not .Values.inference.entryScript) -}}
  {{- $notes = append $notes "The image is the bare runtime: its built-in script only echoes what it is sent. Set image.repository and image.tag to an image with your entry script and models, or inference and models to where these come from." -}}
{{- end -}}
{{ $notes | toJson }}
{{- end }}

{{- define "gpu-inference.networkNotes" -}}
{{- $policy := .Values.networkPolicy -}}
{{- $notes := list -}}
{{- if and $policy.enabled (not $policy.allowExternalEgress) (not $policy.egress) -}}
  {{- $notes = append $notes "networkPolicy.allowExternalEgress is false: a run() that connects to something else, such as a database or blob storage, waits until it times out. Add a rule to networkPolicy.egress for each." -}}
{{- end -}}
{{ $notes | toJson }}
{{- end }}

{{- define "gpu-inference.deploymentNotes" -}}
{{- $deployment := .Values.deployment -}}
{{- $notes := list -}}
{{- if $deployment.primary_key -}}
  {{- $notes = append $notes "The keys given as deployment.primary_key and secondary_key can be read by whoever can read the release's values." -}}
{{- end -}}
{{- if $deployment.compute_target_name -}}
  {{- $notes = append $notes "deployment.compute_target_name has no effect: the cluster is the one that the release is in." -}}
{{- end -}}
{{ $notes | toJson }}
{{- end }}
