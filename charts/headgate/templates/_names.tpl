{{/* Objects in the namespace have the name of the release: `helm install headgate …` creates the Service `headgate`. */}}
{{- define "headgate.name" -}}
{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Names of cluster-scoped objects contain the namespace, so that releases of one name do not share their rights. */}}
{{- define "headgate.clusterName" -}}
{{ .Release.Namespace }}:{{ .Release.Name }}
{{- end }}

{{- define "headgate.serviceAccountName" -}}
{{ .Values.serviceAccount.name | default (ternary (include "headgate.name" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- define "headgate.selector" -}}
app.kubernetes.io/name: headgate
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "headgate.labels" -}}
{{ include "headgate.selector" . }}
app.kubernetes.io/component: controller
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}
