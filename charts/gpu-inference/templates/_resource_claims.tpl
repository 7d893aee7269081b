{{/*
GPUs from a DRA driver instead of a device plugin: each pod gets a claim of its own, made from a ResourceClaimTemplate.
*/}}

{{/* The template's spec, apart from it, because its name carries the spec's hash: a spec cannot be changed. */}}
{{- define "gpu-inference.resourceClaimSpec" -}}
{{- $values := include "gpu-inference.values" . | fromJson -}}
devices:
  requests:
    - name: gpus
      exactly:
        deviceClassName: {{ $values.cluster.resource_claim.device_class_name }}
        allocationMode: ExactCount
        count: {{ $values.deployment.gpu_cores | int64 }}
        {{- with $values.cluster.resource_claim.selectors }}
        selectors:
          {{- range . }}
          - cel:
              expression: {{ quote . }}
          {{- end }}
        {{- end }}
{{- end }}

{{- define "gpu-inference.resourceClaimTemplateName" -}}
{{ include "gpu-inference.serviceName" . }}-gpus-{{ include "gpu-inference.resourceClaimSpec" . | sha256sum | trunc 8 }}
{{- end }}

{{/* The pods' claims, as items of a YAML list; nothing where the GPUs are an extended resource, or there are none. */}}
{{- define "gpu-inference.resourceClaims" -}}
{{- $values := include "gpu-inference.values" . | fromJson -}}
{{- if and $values.cluster.resource_claim.enabled (gt (int64 $values.deployment.gpu_cores) 0) -}}
- name: gpus
  resourceClaimTemplateName: {{ include "gpu-inference.resourceClaimTemplateName" . }}
{{- end -}}
{{- end }}
