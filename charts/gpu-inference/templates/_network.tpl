{{/* Ways through the network that the release's pods need, as rules of a NetworkPolicy. */}}

{{/* Egress rules of the scoring pods. Each feature that reaches out contributes by a helper of its own. */}}
{{- define "gpu-inference.egress" -}}
{{ include "gpu-inference.joined" (list . "dnsEgress" "extraEgress") }}
{{- end }}

{{/* To any address, because a cluster's DNS may be pods, a node's cache or a machine outside. */}}
{{- define "gpu-inference.dnsEgress" -}}
- ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
{{- end }}

{{- define "gpu-inference.extraEgress" -}}
{{- with (include "gpu-inference.values" . | fromJson).networkPolicy.egress }}
{{- toYaml . }}
{{- end }}
{{- end }}
