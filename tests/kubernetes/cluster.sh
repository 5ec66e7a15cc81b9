#!/bin/bash
# Starts a Kubernetes of one node, of the binaries that build.sh made, with this machine's Docker: cluster.sh DIR
# As root; needs kubectl, etcd, openssl and the image waybill-test/debian:bookworm (tests/compose/bases.py). It adds node1 to
# /etc/hosts and makes the image pause:3. Then: export KUBECONFIG=DIR/run/kubeconfig. To stop it: kill $(cat DIR/run/*.pid).
# The images must be on the machine; network policies are not enforced, services have no address (no kube-proxy), names are not resolved (no DNS).
set -eu
folder=$(realpath "$1")
bin=$folder/source/_output/local/bin/linux/amd64
mkdir -p "$folder/run"
cd "$folder/run"
address=$(ip -4 -o addr show docker0 | awk '{print $4}' | cut -d/ -f1)

certificate() {
    openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "$2" 2> log
    openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out "$1.pem" \
        -extfile <(echo "subjectAltName=IP:127.0.0.1,IP:$address,DNS:localhost") 2> log
}
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -keyout ca.key -out ca.pem -subj /CN=ca 2> log
certificate server /CN=kube-apiserver
certificate admin /O=system:masters/CN=admin
openssl genrsa -out sa.key 2048 2> log
cat > kubeconfig <<END
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:16443", certificate-authority: $PWD/ca.pem}}]
users: [{name: u, user: {client-certificate: $PWD/admin.pem, client-key: $PWD/admin.key}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
END
docker build --tag pause:3 - <<'END'
FROM waybill-test/debian:bookworm
CMD ["bash", "-c", "trap 'exit 0' TERM; sleep infinity & wait"]
END

start() {
    name=$1
    shift
    "$@" > "$name.log" 2>&1 &
    echo $! > "$name.pid"
}
await() {
    name=$1
    shift
    until kubectl --kubeconfig kubeconfig "$@" > log 2>&1; do
        kill -0 "$(cat "$name.pid")" || { tail "$name.log" >&2; exit 1; }
        sleep 1
    done
}
grep -q ' node1$' /etc/hosts || echo "$address node1" >> /etc/hosts
rm -rf etcd
start etcd etcd --data-dir etcd --unsafe-no-fsync --listen-client-urls http://127.0.0.1:12379 \
    --advertise-client-urls http://127.0.0.1:12379 --listen-peer-urls http://127.0.0.1:12380
start apiserver "$bin/kube-apiserver" --etcd-servers http://127.0.0.1:12379 --bind-address 127.0.0.1 --secure-port 16443 \
    --client-ca-file ca.pem --tls-cert-file server.pem --tls-private-key-file server.key --cert-dir certificates \
    --service-cluster-ip-range 10.96.0.0/16 --service-account-issuer https://kubernetes --service-account-key-file sa.key \
    --service-account-signing-key-file sa.key --authorization-mode Node,RBAC --allow-privileged=false \
    --kubelet-client-certificate admin.pem --kubelet-client-key admin.key
await apiserver get --raw /readyz
start controllers "$bin/kube-controller-manager" --kubeconfig kubeconfig --service-account-private-key-file sa.key \
    --root-ca-file ca.pem --use-service-account-credentials --leader-elect=false --cert-dir certificates --secure-port 0
start scheduler "$bin/kube-scheduler" --kubeconfig kubeconfig --leader-elect=false --secure-port 0 --port 10351
start kubelet "$bin/kubelet" --kubeconfig kubeconfig --container-runtime docker --network-plugin= --fail-swap-on=false \
    --hostname-override node1 --root-dir "$PWD/kubelet" --cert-dir certificates --port 20250 --cgroup-driver cgroupfs \
    --pod-infra-container-image pause:3 --authentication-token-webhook=false --anonymous-auth=false --client-ca-file ca.pem \
    --eviction-hard= --image-gc-high-threshold 100 --healthz-port 0 --read-only-port 0
await kubelet wait --for=condition=Ready node/node1 --timeout=1s
kubectl --kubeconfig kubeconfig get nodes
