{{- define "volleyRegion.labels" -}}
app.kubernetes.io/name: volley-region
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- /* Who may run workers here. */ -}}
{{- define "volleyRegion.subjects" -}}
{{- $subjects := list -}}
{{- if .Values.hubAccount.create -}}
{{- $subjects = append $subjects (dict "kind" "ServiceAccount" "name" "volley-hub" "namespace" .Release.Namespace) -}}
{{- end -}}
{{- range .Values.subjects -}}
{{- if eq .kind "ServiceAccount" -}}
{{- $subjects = append $subjects . -}}
{{- else -}}
{{- $subjects = append $subjects (merge (dict "apiGroup" "rbac.authorization.k8s.io") .) -}}
{{- end -}}
{{- end -}}
{{- if not $subjects -}}
{{- fail "nobody may run workers here: set hubAccount.create, or name subjects" -}}
{{- end -}}
{{- toYaml $subjects -}}
{{- end -}}
