//! What each value does to what is rendered.

use serde_json::{Value, json};

use crate::expected::Expected;

/// Values, and what is rendered with them.
pub struct Case {
    pub values: Value,
    pub expected: Vec<Expected>,
}

const POD: &str = "Deployment token-operator";
const ARGS: &str = "/spec/template/spec/containers/0/args";
const READER: &str = "Role lease-reader";

/// A case. The CRDs are large, so only their own cases have them.
fn case(mut values: Value, expected: Vec<Expected>) -> Case {
    if values.get("crds").is_none() {
        values["crds"] = json!({"enabled": false});
    }
    Case { values, expected }
}

pub fn all() -> Vec<Case> {
    [names_and_images(), rights(), pods(), monitoring(), others()].into_iter().flatten().collect()
}

fn names_and_images() -> Vec<Case> {
    use Expected::{Has, Is, None};
    let image = |value: Value| vec![Is(POD, "/spec/template/spec/containers/0/image", value)];
    let digest = format!("sha256:{}", "a".repeat(64));
    vec![
        case(
            json!({"crds": {"enabled": true}}),
            vec![
                Is("CustomResourceDefinition", "/metadata/annotations", json!({"helm.sh/resource-policy": "keep"})),
                Is("CustomResourceDefinition", "/metadata/labels/app.kubernetes.io~1instance", json!("ato")),
            ],
        ),
        case(
            json!({"crds": {"keep": false}}),
            vec![
                Is("CustomResourceDefinition", "/metadata/annotations", Value::Null),
                Is("CustomResourceDefinition", "/metadata/name", json!("artifacttokens.artifact-token.dev")),
            ],
        ),
        case(json!({"crds": {"enabled": false}}), vec![None("CustomResourceDefinition")]),
        case(json!({"image": {"repository": "r.example/operator"}}), image(json!("r.example/operator:0.1.0"))),
        case(
            json!({"image": {"tag": "1.2.3"}}),
            image(json!("registry.artifact-token.dev/artifact-token-operator:1.2.3")),
        ),
        case(
            json!({"image": {"repository": "operator", "digest": digest}}),
            image(json!(format!("operator:0.1.0@{digest}"))),
        ),
        case(
            json!({"image": {"pullPolicy": "Always"}}),
            vec![Is(POD, "/spec/template/spec/containers/0/imagePullPolicy", json!("Always"))],
        ),
        case(
            json!({"imagePullSecrets": [{"name": "pull"}]}),
            vec![
                Has(POD, "/spec/template/spec/imagePullSecrets", json!({"name": "pull"})),
                Has("Job", "/spec/template/spec/imagePullSecrets", json!({"name": "pull"})),
            ],
        ),
        case(json!({"nameOverride": "tokens"}), vec![Is("Deployment", "/metadata/name", json!("ato-tokens"))]),
        case(json!({"fullnameOverride": "tokens"}), vec![Is("Deployment", "/metadata/name", json!("tokens"))]),
        case(
            json!({"commonLabels": {"team": "ci"}}),
            vec![
                Is("ServiceAccount", "/metadata/labels/team", json!("ci")),
                Is(POD, "/spec/template/metadata/labels/team", json!("ci")),
                Is(POD, "/spec/selector/matchLabels/team", Value::Null),
            ],
        ),
        case(
            json!({"serviceAccount": {"create": false, "name": "theirs"}}),
            vec![
                None("ServiceAccount"),
                Is(POD, "/spec/template/spec/serviceAccountName", json!("theirs")),
                Is("ClusterRoleBinding", "/subjects/0/name", json!("theirs")),
            ],
        ),
        case(
            json!({"serviceAccount": {"annotations": {"a": "b"}}}),
            vec![Is("ServiceAccount", "/metadata/annotations/a", json!("b"))],
        ),
    ]
}

fn rights() -> Vec<Case> {
    use Expected::{Has, Is, None};
    let off = |name: &str| json!({"rbac": {name: false}});
    let lease = "Role leader-election";
    vec![
        case(
            json!({}),
            vec![
                Has(POD, ARGS, json!("--leader-election=on")),
                Has(lease, "/rules/0/resourceNames", json!("ato-artifact-token-operator")),
                Is(READER, "/rules/0/resourceNames", json!(["ato-artifact-token-operator"])),
                Is(READER, "/rules/0/verbs", json!(["get"])),
                Is("RoleBinding lease-reader", "/subjects/0/name", json!("system:authenticated")),
                Is("ClusterRole -view", "/metadata/labels/rbac.authorization.k8s.io~1aggregate-to-view", json!("true")),
                Is("ClusterRole -edit", "/rules/0/resources", json!(["artifacttokens"])),
                Is("ClusterRole -admin", "/rules/0/resources", json!(["tokenservices"])),
            ],
        ),
        case(
            json!({"leaderElection": {"enabled": false}}),
            vec![
                None(lease),
                None("RoleBinding"),
                Is(POD, ARGS, json!(["--log-format=json", "--operator-namespace=artifact-tokens"])),
            ],
        ),
        case(
            json!({"secretWatch": false, "secretReread": "10m"}),
            vec![
                Has(POD, ARGS, json!("--secret-watch=off")),
                Has(POD, ARGS, json!("--secret-reread=10m")),
                Has(
                    "ClusterRole token-operator",
                    "/rules",
                    json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "patch", "delete"]}),
                ),
            ],
        ),
        case(off("create"), vec![None("ClusterRoleBinding"), None("Role"), None("RoleBinding")]),
        case(off("aggregateToView"), vec![None("ClusterRole -view")]),
        case(off("aggregateToEdit"), vec![None("ClusterRole -edit")]),
        case(off("aggregateToAdmin"), vec![None("ClusterRole -admin")]),
        case(off("everybodyReadsLease"), vec![None(READER), None("RoleBinding lease-reader")]),
        case(
            json!({"rbac": {"scope": "Namespaces"}, "namespaces": ["team-a", "team-b", "team-a"]}),
            vec![
                None("ClusterRole"),
                None("ClusterRoleBinding"),
                Is("Role token-operator", "/metadata/namespace", json!("team-a")),
                Is("RoleBinding token-operator", "/subjects/0/namespace", json!("artifact-tokens")),
                Has(POD, ARGS, json!("--namespaces=team-a,team-b")),
                Is("Job", ARGS, json!(["--namespaces=team-a,team-b", "uninstall-check"])),
            ],
        ),
        case(json!({"serviceResourceNamespace": "team-a"}), vec![Has(POD, ARGS, json!("--operator-namespace=team-a"))]),
        case(
            json!({}),
            vec![
                Is("ValidatingAdmissionPolicy -authors", "/spec/failurePolicy", json!("Fail")),
                Is("ValidatingAdmissionPolicyBinding -operator", "/spec/validationActions", json!(["Deny"])),
            ],
        ),
        case(
            json!({"admissionPolicies": {"enabled": false}}),
            vec![None("ValidatingAdmissionPolicy"), None("ValidatingAdmissionPolicyBinding")],
        ),
    ]
}

fn pods() -> Vec<Case> {
    use Expected::{Has, Is};
    let spec = |at: &'static str, value: Value| vec![Is(POD, at, value)];
    let toleration = json!({"key": "ci", "operator": "Exists"});
    let node = json!({"nodeSelectorTerms": [{"matchExpressions": [{"key": "ci", "operator": "Exists"}]}]});
    let affinity = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": node}});
    let spread =
        json!({"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}});
    let volume = json!({"name": "ca", "configMap": {"name": "ca"}});
    let mount = json!({"name": "ca", "mountPath": "/ca"});
    vec![
        case(json!({"replicaCount": 3}), spec("/spec/replicas", json!(3))),
        case(
            json!({"log": {"level": "debug"}}),
            vec![Has(POD, "/spec/template/spec/containers/0/env", json!({"name": "RUST_LOG", "value": "debug"}))],
        ),
        case(json!({"log": {"format": "text"}}), vec![Has(POD, ARGS, json!("--log-format=text"))]),
        case(json!({"extraArgs": ["--default-overlap=1h"]}), vec![Has(POD, ARGS, json!("--default-overlap=1h"))]),
        case(
            json!({"extraEnv": [{"name": "A", "value": "b"}]}),
            vec![Has(POD, "/spec/template/spec/containers/0/env", json!({"name": "A", "value": "b"}))],
        ),
        case(
            json!({"extraVolumes": [volume], "extraVolumeMounts": [mount]}),
            vec![
                Has(POD, "/spec/template/spec/volumes", volume.clone()),
                Has(POD, "/spec/template/spec/containers/0/volumeMounts", mount.clone()),
            ],
        ),
        case(
            json!({"podLabels": {"a": "b", "app.kubernetes.io/name": "no"}}),
            vec![
                Is(POD, "/spec/template/metadata/labels/a", json!("b")),
                Is(POD, "/spec/template/metadata/labels/app.kubernetes.io~1name", json!("artifact-token-operator")),
            ],
        ),
        case(json!({"podAnnotations": {"a": "b"}}), spec("/spec/template/metadata/annotations/a", json!("b"))),
        case(
            json!({"podSecurityContext": {"runAsUser": 1234}}),
            spec("/spec/template/spec/securityContext/runAsUser", json!(1234)),
        ),
        case(
            json!({"containerSecurityContext": {"runAsUser": 1234}}),
            spec("/spec/template/spec/containers/0/securityContext/runAsUser", json!(1234)),
        ),
        case(
            json!({"resources": {"limits": {"memory": "1Gi"}}}),
            spec("/spec/template/spec/containers/0/resources/limits/memory", json!("1Gi")),
        ),
        case(
            json!({"terminationGracePeriodSeconds": 600}),
            spec("/spec/template/spec/terminationGracePeriodSeconds", json!(600)),
        ),
        case(
            json!({"topologySpreadConstraints": [spread]}),
            vec![Has(POD, "/spec/template/spec/topologySpreadConstraints", spread.clone())],
        ),
        case(json!({"nodeSelector": {"a": "b"}}), spec("/spec/template/spec/nodeSelector/a", json!("b"))),
        case(json!({"tolerations": [toleration]}), spec("/spec/template/spec/tolerations/0", toleration.clone())),
        case(json!({"affinity": affinity}), spec("/spec/template/spec/affinity", affinity.clone())),
        case(
            json!({"priorityClassName": "system-cluster-critical"}),
            spec("/spec/template/spec/priorityClassName", json!("system-cluster-critical")),
        ),
    ]
}

fn monitoring() -> Vec<Case> {
    use Expected::{Has, Is, None};
    let on = |mode: &str| json!({"enabled": true, "renderMode": mode});
    let rule = |runbooks: &str| {
        let mut rule = on("alwaysRender");
        rule["additionalLabels"] = json!({"release": "prometheus"});
        rule["runbookURL"] = json!(runbooks);
        json!({"prometheusRule": rule})
    };
    let mut cases = vec![
        case(json!({"metrics": {"perObject": true}}), vec![Has(POD, ARGS, json!("--object-metrics=on"))]),
        case(json!({"metrics": {"perObject": false}}), vec![Has(POD, ARGS, json!("--object-metrics=off"))]),
        case(json!({"prometheusRule": on("skipIfMissing")}), vec![None("PrometheusRule")]),
        case(
            rule("https://pages.example/books"),
            vec![
                Is("PrometheusRule", "/metadata/labels/release", json!("prometheus")),
                Is("PrometheusRule", "/spec/groups/0/rules/0/alert", json!("ArtifactTokenOperatorAbsent")),
                Is(
                    "PrometheusRule",
                    "/spec/groups/0/rules/0/annotations/runbook_url",
                    json!("https://pages.example/books/OperatorAbsent.html"),
                ),
            ],
        ),
        case(json!({}), vec![None("ConfigMap -dashboard")]),
        case(
            json!({"grafanaDashboard": {"enabled": true, "sidecarLabel": "dashboards"}}),
            vec![Is("ConfigMap -dashboard", "/metadata/labels/dashboards", json!("1"))],
        ),
        case(json!({"metrics": {"enabled": false}}), vec![None("Service")]),
        case(
            json!({"metrics": {"service": {"annotations": {"a": "b"}}}}),
            vec![Is("Service", "/metadata/annotations/a", json!("b"))],
        ),
    ];
    for (value, kind, endpoint) in [
        ("serviceMonitor", "ServiceMonitor", "/spec/endpoints/0"),
        ("podMonitor", "PodMonitor", "/spec/podMetricsEndpoints/0"),
    ] {
        let mut set = on("alwaysRender");
        set["honorLabels"] = json!(false);
        set["interval"] = json!("1m30s");
        set["additionalLabels"] = json!({"release": "prometheus"});
        cases.extend([
            case(json!({}), vec![None(kind)]),
            case(json!({value: on("skipIfMissing")}), vec![None(kind)]),
            case(
                json!({value: on("alwaysRender")}),
                vec![Is(kind, endpoint, json!({"port": "http-metrics", "honorLabels": true}))],
            ),
            case(
                json!({value: set}),
                vec![
                    Is(kind, endpoint, json!({"port": "http-metrics", "honorLabels": false, "interval": "1m30s"})),
                    Is(kind, "/metadata/labels/release", json!("prometheus")),
                ],
            ),
        ]);
    }
    cases
}

fn others() -> Vec<Case> {
    use Expected::{Has, Is, None};
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more"}, "data": {"a": "{{ .Release.Name }}"}});
    let from = json!({"namespaceSelector": {"matchLabels": {"a": "b"}}});
    let to = json!({"ports": [{"port": 443, "protocol": "TCP"}]});
    let digest = format!("sha256:{}", "b".repeat(64));
    let policy = |key: &str, rules: &Value| {
        let mut policy = json!({"enabled": true});
        policy[key] = json!([rules]);
        json!({"networkPolicy": policy})
    };
    let reference = |image: Value| json!({"referenceService": {"enabled": true, "image": image}});
    let its_image = "/spec/template/spec/containers/0/image";
    vec![
        case(json!({"podDisruptionBudget": {"enabled": false}}), vec![None("PodDisruptionBudget")]),
        case(
            json!({"podDisruptionBudget": {"maxUnavailable": "50%"}}),
            vec![Is("PodDisruptionBudget", "/spec/maxUnavailable", json!("50%"))],
        ),
        case(
            json!({"extraObjects": [map, map.to_string().replace("more", "text")]}),
            vec![Is("ConfigMap more", "/data/a", json!("ato")), Is("ConfigMap text", "/data/a", json!("ato"))],
        ),
        case(
            json!({"networkPolicy": {"enabled": true}}),
            vec![
                Is("NetworkPolicy", "/spec/egress", json!([{}])),
                Is("NetworkPolicy", "/spec/ingress", json!([{"ports": [{"port": "http-metrics"}]}])),
            ],
        ),
        case(policy("ingressFrom", &from), vec![Has("NetworkPolicy", "/spec/ingress/0/from", from.clone())]),
        case(policy("egress", &to), vec![Is("NetworkPolicy", "/spec/egress", json!([to]))]),
        case(json!({}), vec![None("NetworkPolicy"), None("Deployment -reference"), None("Secret")]),
        case(json!({"uninstallCheck": {"enabled": false}}), vec![None("Job")]),
        case(
            reference(json!({})),
            vec![
                Is(
                    "Deployment -reference",
                    its_image,
                    json!("registry.artifact-token.dev/artifact-token-operator:0.1.0"),
                ),
                Is("Secret", "/stringData/key", json!("quickstart-example-key")),
            ],
        ),
        case(
            reference(json!({"repository": "r.example/reference", "tag": "2", "digest": digest})),
            vec![Is("Deployment -reference", its_image, json!(format!("r.example/reference:2@{digest}")))],
        ),
        case(
            json!({"referenceService": {"enabled": true, "adminKey": "another"}}),
            vec![Is("Secret", "/stringData/key", json!("another"))],
        ),
    ]
}
