{{/* Rules for the policies of the cluster: they must not reject what the cap allows. */}}

{{- define "gpu-inference.policyErrors" -}}
{{- $cluster := .Values.cluster -}}
{{- $errors := list -}}
{{- if gt .Values.deployment.gpu_cores 0.0 -}}
  {{- if and $cluster.quota.gpus (lt $cluster.quota.gpus $cluster.gpu_count) -}}
    {{- $errors = append $errors (printf "cluster.quota.gpus is %d, but this service alone may use %d GPUs (cluster.gpu_count): raise the one, which is for all services of the namespace together, or lower the other." (int64 $cluster.quota.gpus) (int64 $cluster.gpu_count)) -}}
  {{- end -}}
  {{- if and $cluster.check_nodes $cluster.resource_claim.enabled -}}
    {{- $errors = append $errors "cluster.check_nodes counts what device plugins offer, and cluster.resource_claim.enabled takes the GPUs from a DRA driver: set one of the two to false." -}}
  {{- end -}}
  {{- $version := .Capabilities.KubeVersion.Version -}}
  {{- if and $cluster.resource_claim.enabled (not (semverCompare ">=1.34.0-0" $version)) -}}
    {{- $errors = append $errors (printf "cluster.resource_claim.enabled needs resource.k8s.io/v1, which Kubernetes has since 1.34, but this is %s: set it to false, and the pods ask for %s." $version $cluster.gpu_resource) -}}
  {{- end -}}
{{- end -}}
{{ $errors | toJson }}
{{- end }}
