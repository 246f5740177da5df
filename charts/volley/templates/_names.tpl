{{- define "volley.installation" -}}
{{- .Values.installation | default .Release.Name -}}
{{- end -}}

{{- define "volley.labels" -}}
app.kubernetes.io/name: volley
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "volley.selector" -}}
app.kubernetes.io/name: volley
app.kubernetes.io/instance: {{ .release }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "volley.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10002
runAsGroup: 10000
fsGroup: 10000
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "volley.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "volley.imageVolley" -}}
{{- required "image.volley is required: the image of operator, collector and aggregator that your cluster can pull" .Values.image.volley -}}
{{- end -}}

{{- define "volley.imageWorker" -}}
{{- required "image.worker is required: the image of the workers that your cluster can pull" .Values.image.worker -}}
{{- end -}}

{{- define "volley.s3Endpoint" -}}
http://volley-storage.{{ .Release.Namespace }}.svc:9000
{{- end -}}

{{- define "volley.dynamodbEndpoint" -}}
http://volley-storage.{{ .Release.Namespace }}.svc:8000
{{- end -}}

{{- /* The namespaces of this cluster in which workers run, each once. */ -}}
{{- define "volley.workerNamespaces" -}}
{{- $names := list -}}
{{- range .Values.regionTargets -}}{{- if not (or .kubeconfig .eks) -}}{{- $names = append $names .namespace -}}{{- end -}}{{- end -}}
{{- $names | uniq | toJson -}}
{{- end -}}
