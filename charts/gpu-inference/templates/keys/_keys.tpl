{{/*
The service's two keys. A render holds nothing random, so that two renders are equal and no rollback brings a revoked
key back: the Secret comes without the keys that nobody gave, and a Job fills in what is missing.
*/}}

{{/* "true" where requests must carry a key: said, or because they need no token. As in the SDK, one excludes the other. */}}
{{- define "gpu-inference.keysInUse" -}}
{{- $deployment := .Values.deployment -}}
{{- if hasKey $deployment "auth_enabled" | ternary $deployment.auth_enabled (not $deployment.token_auth_enabled) -}}
true
{{- end -}}
{{- end }}

{{/* The names of the keys that the Job has to make, separated by spaces; nothing where there is no Job. */}}
{{- define "gpu-inference.keysToMake" -}}
{{- if and (include "gpu-inference.keysInUse" .) (not .Values.keys.existingSecret) -}}
  {{- $missing := list -}}
  {{- if not .Values.deployment.primary_key }}{{ $missing = append $missing "primaryKey" }}{{ end -}}
  {{- if not .Values.deployment.secondary_key }}{{ $missing = append $missing "secondaryKey" }}{{ end -}}
  {{ join " " $missing }}
{{- end -}}
{{- end }}

{{/* The Job's spec, apart from the Job, because the Job's name carries its hash: a spec cannot be changed. */}}
{{- define "gpu-inference.keysJobSpec" -}}
backoffLimit: 3
template:
  metadata:
    labels:
      {{- include "gpu-inference.podLabels" (list . "keys") | nindent 6 }}
  spec:
    # A new pod for each try, so that the log of a failed one can still be read.
    restartPolicy: Never
    serviceAccountName: {{ include "gpu-inference.keysObjectName" . }}
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

{{/* A whole folder and no subPath, so that changed keys arrive without a restart. */}}
{{- define "gpu-inference.keyMounts" -}}
{{- if include "gpu-inference.keysInUse" . }}
- name: keys
  mountPath: /etc/gpu-inference/keys
  readOnly: true
{{- end }}
{{- end }}

{{/* The keys are listed one by one, so that no pod starts before both exist. */}}
{{- define "gpu-inference.keyVolumes" -}}
{{- if include "gpu-inference.keysInUse" . }}
- name: keys
  secret:
    secretName: {{ include "gpu-inference.keysSecretName" . }}
    items:
      - key: {{ .Values.keys.primaryKeyName | quote }}
        path: primaryKey
      - key: {{ .Values.keys.secondaryKeyName | quote }}
        path: secondaryKey
{{- end }}
{{- end }}
