{{/*
Tokens instead of keys. The server gets the issuer's keys from a ConfigMap, whose changes it reads, or from a URL,
which it fetches periodically. For the cluster's own issuer this is a URL of the API server, which requires a token of
the cluster.
*/}}

{{- define "gpu-inference.tokenAudience" -}}
{{- .Values.tokenAuth.audience | default (include "gpu-inference.serviceName" .) -}}
{{- end }}

{{- define "gpu-inference.tokenAuthEnv" -}}
{{- $tokenAuth := .Values.tokenAuth -}}
{{- if .Values.deployment.token_auth_enabled }}
{{- if $tokenAuth.issuer }}
- name: GPU_INFERENCE_TOKEN_ISSUER
  value: {{ $tokenAuth.issuer | quote }}
{{- else }}
- name: GPU_INFERENCE_TOKEN_DISCOVERY_URL
  value: https://kubernetes.default.svc/.well-known/openid-configuration
{{- end }}
- name: GPU_INFERENCE_TOKEN_AUDIENCE
  value: {{ include "gpu-inference.tokenAudience" . | quote }}
- name: GPU_INFERENCE_TOKEN_ALLOWED_SUBJECTS
  value: {{ $tokenAuth.allowedSubjects | toRawJson | quote }}
{{- if $tokenAuth.jwks.configMap }}
- name: GPU_INFERENCE_TOKEN_JWKS_FILE
  value: /etc/gpu-inference/issuer/jwks.json
{{- else }}
- name: GPU_INFERENCE_TOKEN_JWKS_URL
  value: {{ ternary "https://kubernetes.default.svc/openid/v1/jwks" $tokenAuth.jwks.url $tokenAuth.clusterIssuer | quote }}
{{- if or $tokenAuth.clusterIssuer $tokenAuth.jwks.caConfigMap }}
- name: GPU_INFERENCE_TOKEN_JWKS_CA_FILE
  value: /etc/gpu-inference/issuer/ca.crt
{{- end }}
{{- if or $tokenAuth.clusterIssuer $tokenAuth.jwks.tokenSecret }}
- name: GPU_INFERENCE_TOKEN_JWKS_TOKEN_FILE
  value: /etc/gpu-inference/issuer/token
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* A whole folder without subPath, so that the kubelet updates changed files without a restart. */}}
{{- define "gpu-inference.tokenAuthMounts" -}}
{{- if include "gpu-inference.tokenAuthSources" . | trim }}
- name: issuer
  mountPath: /etc/gpu-inference/issuer
  readOnly: true
{{- end }}
{{- end }}

{{- define "gpu-inference.tokenAuthVolumes" -}}
{{- with include "gpu-inference.tokenAuthSources" . | trim }}
- name: issuer
  projected:
    sources:
      {{- . | nindent 6 }}
{{- end }}
{{- end }}

{{/* Sources of that folder. Each file is listed, so that no pod starts before it exists. */}}
{{- define "gpu-inference.tokenAuthSources" -}}
{{- $jwks := .Values.tokenAuth.jwks -}}
{{- if not .Values.deployment.token_auth_enabled }}
{{- else if .Values.tokenAuth.clusterIssuer }}
# For the API server, which answers questions about its keys to the cluster's own workloads alone.
- serviceAccountToken:
    path: token
# Kubernetes puts it into every namespace.
- configMap:
    name: kube-root-ca.crt
    items:
      - key: ca.crt
        path: ca.crt
{{- else }}
{{- with $jwks.configMap }}
- configMap:
    name: {{ . | quote }}
    items:
      - key: {{ $jwks.key | quote }}
        path: jwks.json
{{- end }}
{{- with $jwks.caConfigMap }}
- configMap:
    name: {{ . | quote }}
    items:
      - key: ca.crt
        path: ca.crt
{{- end }}
{{- with $jwks.tokenSecret }}
- secret:
    name: {{ . | quote }}
    items:
      - key: token
        path: token
{{- end }}
{{- end }}
{{- end }}

{{/*
Egress to the issuer's keys. A NetworkPolicy applies to the API server's own port, usually 6443, and not to its
Service's port 443.
*/}}
{{- define "gpu-inference.tokenAuthEgress" -}}
{{- $tokenAuth := .Values.tokenAuth -}}
{{- if and .Values.deployment.token_auth_enabled (or $tokenAuth.clusterIssuer $tokenAuth.jwks.url) }}
{{- $port := $tokenAuth.jwks.url | regexFind "^https://[^/]+" | regexFind ":[0-9]+$" | trimPrefix ":" | default "443" }}
{{- $ports := ternary (list "443" "6443") (list $port) $tokenAuth.clusterIssuer }}
- ports:
    {{- range $tokenAuth.egressPorts | default $ports }}
    - port: {{ . | int64 }}
      protocol: TCP
    {{- end }}
  {{- with $tokenAuth.egressCidrs }}
  to:
    {{- range . }}
    - ipBlock:
        cidr: {{ . | quote }}
    {{- end }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Command for NOTES that gets a token for the first allowed ServiceAccount; empty if there is none. */}}
{{- define "gpu-inference.tokenCommand" -}}
{{- $accounts := list -}}
{{- range $subject := .Values.tokenAuth.allowedSubjects -}}
  {{- if regexMatch "^system:serviceaccount:[^:]+:[^:]+$" $subject }}{{ $accounts = append $accounts $subject }}{{ end -}}
{{- end -}}
{{- if and .Values.tokenAuth.clusterIssuer $accounts -}}
{{- $parts := first $accounts | splitList ":" -}}
TOKEN=$(kubectl create token {{ index $parts 3 }} --namespace {{ index $parts 2 }} --audience {{ include "gpu-inference.tokenAudience" . }})
{{- end -}}
{{- end }}
