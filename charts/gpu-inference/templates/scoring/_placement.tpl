{{/* Nodes that pods may run on, and how the scoring pods are spread over them. */}}

{{/*
nodeSelector, affinity and tolerations, as fields of a pod's spec. The key Job has the same, because those nodes already
have its image.
*/}}
{{- define "gpu-inference.placement" -}}
{{- $placement := dict -}}
{{- with .Values.nodeSelector }}{{ $_ := set $placement "nodeSelector" . }}{{ end -}}
{{- with include "gpu-inference.affinity" . | fromJson }}{{ $_ := set $placement "affinity" . }}{{ end -}}
{{- with concat .Values.tolerations (include "gpu-inference.gpuTolerations" . | fromJsonArray) -}}
  {{- $_ := set $placement "tolerations" (uniq .) -}}
{{- end -}}
{{- with $placement }}{{ toYaml . }}{{ end -}}
{{- end }}

{{/* Tolerations for the taints of GPU nodes, as a JSON list. */}}
{{- define "gpu-inference.gpuTolerations" -}}
{{- $tolerations := list -}}
{{- if and .Values.cluster.gpu_toleration (gt (int64 .Values.deployment.gpu_cores) 0) -}}
  {{- $keys := list .Values.cluster.gpu_resource -}}
  {{- /* The taint of a node with MIG profiles names the whole GPU (docs/decisions.md 12). */ -}}
  {{- if hasPrefix "nvidia.com/mig-" .Values.cluster.gpu_resource }}{{ $keys = append $keys "nvidia.com/gpu" }}{{ end -}}
  {{- range $keys -}}
    {{- $tolerations = append $tolerations (dict "key" . "operator" "Exists" "effect" "NoSchedule") -}}
  {{- end -}}
{{- end -}}
{{ $tolerations | toJson }}
{{- end }}

{{/*
Affinity as JSON: the user's, with the GPU products added to each node selector term, because a node needs to match
only one term.
*/}}
{{- define "gpu-inference.affinity" -}}
{{- $affinity := deepCopy .Values.affinity -}}
{{- if and .Values.cluster.gpu_products (gt (int64 .Values.deployment.gpu_cores) 0) -}}
  {{- $product := dict "key" .Values.cluster.gpu_product_label "operator" "In" "values" .Values.cluster.gpu_products -}}
  {{- $nodeAffinity := get $affinity "nodeAffinity" | default dict -}}
  {{- $required := get $nodeAffinity "requiredDuringSchedulingIgnoredDuringExecution" | default dict -}}
  {{- $terms := list -}}
  {{- range $term := get $required "nodeSelectorTerms" | default (list dict) -}}
    {{- $expressions := append (get $term "matchExpressions" | default list) $product -}}
    {{- $terms = append $terms (set $term "matchExpressions" $expressions) -}}
  {{- end -}}
  {{- $_ := set $required "nodeSelectorTerms" $terms -}}
  {{- $_ := set $nodeAffinity "requiredDuringSchedulingIgnoredDuringExecution" $required -}}
  {{- $_ := set $affinity "nodeAffinity" $nodeAffinity -}}
{{- end -}}
{{ $affinity | toJson }}
{{- end }}

{{/*
Topology spread constraints of the user, each with the service's own pods as default selector. Without a selector
Kubernetes would count no pods.
*/}}
{{- define "gpu-inference.topologySpreadConstraints" -}}
{{- $own := dict "matchLabels" (include "gpu-inference.selectorLabels" (list . "scoring") | fromYaml) -}}
{{- $constraints := list -}}
{{- range .Values.topologySpreadConstraints -}}
  {{- $constraints = append $constraints (set (deepCopy .) "labelSelector" (.labelSelector | default $own)) -}}
{{- end -}}
{{- with $constraints }}{{ toYaml . }}{{ end -}}
{{- end }}
