{{/*
The service's two keys. A render contains nothing random, so two renders are equal and a rollback restores no revoked
key: the Secret is rendered without keys that are not in the values, and a Job fills them in (docs/decisions.md 17).
*/}}

{{/*
"true" if requests must carry a key: auth_enabled is true, or unset and no token is required. As in the SDK, keys and
tokens exclude each other.
*/}}
{{- define "gpu-inference.keysInUse" -}}
{{- $deployment := .Values.deployment -}}
{{- if hasKey $deployment "auth_enabled" | ternary $deployment.auth_enabled (not $deployment.token_auth_enabled) -}}
true
{{- end -}}
{{- end }}

{{/* Names of the keys that the Job generates, separated by spaces; empty if there is no Job. */}}
{{- define "gpu-inference.keysToMake" -}}
{{- if and (include "gpu-inference.keysInUse" .) (not .Values.keys.existingSecret) -}}
  {{- $missing := list -}}
  {{- if not .Values.deployment.primary_key }}{{ $missing = append $missing "primaryKey" }}{{ end -}}
  {{- if not .Values.deployment.secondary_key }}{{ $missing = append $missing "secondaryKey" }}{{ end -}}
  {{ join " " $missing }}
{{- end -}}
{{- end }}

{{/* Spec of the Job. It is a helper because the Job's name contains its hash: a Job's spec is immutable. */}}
{{- define "gpu-inference.keysJobSpec" -}}
backoffLimit: 3
template:
  metadata:
    labels:
      {{- include "gpu-inference.podLabels" (list . "keys") | nindent 6 }}
  spec:
    # A new pod for each try, so that the log of a failed one can still be read.
    restartPolicy: Never
    serviceAccountName: {{ include "gpu-inference.keysObjectName" . | quote }}
    enableServiceLinks: false
    {{- with include "gpu-inference.imagePullSecrets" . }}
    imagePullSecrets:
      {{- . | nindent 6 }}
    {{- end }}
    securityContext:
      {{- include "gpu-inference.podSecurityContext" . | nindent 6 }}
    {{- with include "gpu-inference.placement" . }}
    {{- . | nindent 4 }}
    {{- end }}
    containers:
      - name: fill-keys
        image: {{ include "gpu-inference.image" . | quote }}
        imagePullPolicy: {{ .Values.image.pullPolicy }}
        command:
          - /opt/gpu-inference/bin/python
          - -I
          - -c
          - |
            {{- .Files.Get "files/fill_keys.py" | trim | nindent 12 }}
          - {{ include "gpu-inference.keysObjectName" . }}
          {{- range splitList " " (include "gpu-inference.keysToMake" .) }}
          - {{ . }}
          {{- end }}
        resources:
          requests:
            cpu: 10m
            memory: 64Mi
          limits:
            memory: 128Mi
        securityContext:
          {{- include "gpu-inference.containerSecurityContext" . | nindent 10 }}
{{- end }}

{{- define "gpu-inference.keyEnv" -}}
{{- if include "gpu-inference.keysInUse" . }}
- name: GPU_INFERENCE_KEYS_DIR
  value: /etc/gpu-inference/keys
{{- end }}
{{- end }}

{{/* A whole folder without subPath, so that the kubelet updates changed keys without a restart. */}}
{{- define "gpu-inference.keyMounts" -}}
{{- if include "gpu-inference.keysInUse" . }}
- name: keys
  mountPath: /etc/gpu-inference/keys
  readOnly: true
{{- end }}
{{- end }}

{{/* Each key is listed, so that no pod starts before both exist. */}}
{{- define "gpu-inference.keyVolumes" -}}
{{- if include "gpu-inference.keysInUse" . }}
- name: keys
  secret:
    secretName: {{ include "gpu-inference.keysSecretName" . | quote }}
    items:
      - key: {{ .Values.keys.primaryKeyName | quote }}
        path: primaryKey
      - key: {{ .Values.keys.secondaryKeyName | quote }}
        path: secondaryKey
{{- end }}
{{- end }}
