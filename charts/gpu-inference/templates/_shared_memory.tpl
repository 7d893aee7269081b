{{/* /dev/shm of the size that the values ask for, instead of the container runtime's 64 MiB. */}}

{{- define "gpu-inference.sharedMemoryVolumes" -}}
{{- with (include "gpu-inference.values" . | fromJson).sharedMemory.sizeGb -}}
- name: shared-memory
  emptyDir:
    medium: Memory
    sizeLimit: {{ include "gpu-inference.memoryQuantity" . }}
{{- end -}}
{{- end }}

{{- define "gpu-inference.sharedMemoryMounts" -}}
{{- if (include "gpu-inference.values" . | fromJson).sharedMemory.sizeGb -}}
- name: shared-memory
  mountPath: /dev/shm
{{- end -}}
{{- end }}
